"""HFP, the high frequency perception module (HS-FPN, Sec. 3.1 and Fig. 3).

Shape shorthand: B images, C channels, H x W of this level, k cells per side of a pool,
x the level's lateral map C_i (B, C, H, W), response its high-pass F_i (B, C, H, W).
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from d2freq.modeling.hs_fpn.layers import ConvReLUNorm, initialize
from d2freq.modeling.hs_fpn.switches import Switches
from d2freq.ops.dct import autocast_off, high_pass, working_dtype
from d2freq.ops.pooling import adaptive_avg_pool2d, adaptive_max_pool2d

__all__ = ["ChannelPath", "HighFrequencyPerception", "SpatialPath", "build_hfp"]


class ChannelPath(nn.Module):
    """One weight in (0, 1) a channel, u^CP, from the pooled high-frequency response.

    The average and the maximum over k x k cells, ReLU, sum over the cells; one grouped 1x1
    convolution scores both vectors, a second one fuses the scores.

    Args:
        channels: C; ``groups`` has to divide it.
        pool_size: k. A map smaller than that is fine: its cells then overlap.
        pool_reduce: "sum" or "mean" over the cells.
        fusion: "concat" the two score vectors, "interleave" them channel by channel, or "sum".
        groups: of both convolutions.
        bias: in both convolutions.
        relu: after both convolutions; the weights then lie in [0.5, 1).

    Examples:
        >>> import torch
        >>> from d2freq.modeling.hs_fpn import ChannelPath
        >>> weights = ChannelPath(32, pool_size=4)(torch.randn(2, 32, 9, 12))
        >>> tuple(weights.shape), bool((0 < weights).all() and (weights < 1).all())
        ((2, 32, 1, 1), True)
    """

    def __init__(
        self,
        channels: int,
        *,
        pool_size: int = 16,
        pool_reduce: str = "sum",
        fusion: str = "concat",
        groups: int = 32,
        bias: bool = True,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self.pool_size = pool_size
        self.pool_reduce = pool_reduce
        self.fusion = fusion
        self.relu = relu
        fused = channels if fusion == "sum" else 2 * channels
        self.score = VectorConv(channels, channels, 1, groups=groups, bias=bias)
        self.fuse = VectorConv(fused, channels, 1, groups=groups, bias=bias)
        initialize(self.score)
        initialize(self.fuse)

    def forward(self, response: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 1, 1), in float32 at least."""
        # k x k sums reach the thousands; what follows them is tiny, so full precision is free.
        with autocast_off(response):
            average = self._reduce(adaptive_avg_pool2d(response, self.pool_size))
            maximum = self._reduce(adaptive_max_pool2d(response, self.pool_size))
            scores = self._activate(self.score(torch.stack((average, maximum))))
            if self.fusion == "sum":
                scores = scores.sum(0)
            elif self.fusion == "concat":
                scores = torch.cat((scores[0], scores[1]), dim=1)
            else:
                scores = scores.permute(1, 2, 0).flatten(1)
            return self._activate(self.fuse(scores)).sigmoid()[:, :, None, None]

    def _reduce(self, cells: Tensor) -> Tensor:
        cells = cells.relu()
        reduce = cells.sum if self.pool_reduce == "sum" else cells.mean
        return reduce(dim=(2, 3), dtype=working_dtype(cells))

    def _activate(self, scores: Tensor) -> Tensor:
        return scores.relu() if self.relu else scores


class VectorConv(nn.Conv2d):
    """A grouped 1x1 convolution of maps of one pixel, given as vectors.

    One batched product: torch's convolution would run a small one a group and image on CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., C_in) -> (..., C_out)."""
        weight = self.weight.unflatten(0, (self.groups, -1)).flatten(2)
        out = torch.einsum("...gi,goi->...go", x.unflatten(-1, (self.groups, -1)), weight)
        out = out.flatten(-2)
        return out if self.bias is None else out + self.bias


class SpatialPath(nn.Module):
    """One weight a pixel, u^SP, from the high-frequency response.

    Args:
        channels: C.
        mode: "conv", the sigmoid of a 1x1 convolution to one channel; or "raw", the response
            itself, one weight a pixel and channel.
        relu: before the sigmoid; the weights then lie in [0.5, 1).

    Examples:
        >>> import torch
        >>> from d2freq.modeling.hs_fpn import SpatialPath
        >>> tuple(SpatialPath(32)(torch.randn(2, 32, 9, 12)).shape)
        (2, 1, 9, 12)
    """

    def __init__(self, channels: int, *, mode: str = "conv", relu: bool = False) -> None:
        super().__init__()
        self.relu = relu
        self.conv = None
        if mode == "conv":
            self.conv = nn.Conv2d(channels, 1, 1, bias=False)
            initialize(self.conv)

    def forward(self, response: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 1, H, W) in (0, 1), or the response as it is."""
        if self.conv is None:
            return response
        scores = self.conv(response)
        return (scores.relu() if self.relu else scores).sigmoid()


class HighFrequencyPerception(nn.Module):
    """HFP: a level's channels and pixels weighted by its high-frequency response.

    Without one of the paths the other works alone; at least one is needed.

    Args:
        channels: C.
        alpha: part of the DCT band that the filter removes, in [0, 1]; 0 filters nothing.
        rounding: "floor" or "ceil" of alpha x size.
        channel_path: the channel path, or None.
        spatial_path: the spatial path, or None.
        tail_bias: of the final 3x3 convolution.
        tail_relu: ReLU after that convolution.
        tail_norm: norm after the ReLU, "" for none.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.hs_fpn import ChannelPath, HighFrequencyPerception, SpatialPath
        >>> hfp = HighFrequencyPerception(
        ...     32, alpha=0.25, channel_path=ChannelPath(32), spatial_path=SpatialPath(32)
        ... )
        >>> tuple(hfp(torch.randn(2, 32, 16, 24)).shape)
        (2, 32, 16, 24)
    """

    def __init__(
        self,
        channels: int,
        *,
        alpha: float = 0.25,
        rounding: str = "floor",
        channel_path: ChannelPath | None = None,
        spatial_path: SpatialPath | None = None,
        tail_bias: bool = False,
        tail_relu: bool = False,
        tail_norm: str = "",
    ) -> None:
        super().__init__()
        if channel_path is None and spatial_path is None:
            raise ValueError("HFP needs a channel path or a spatial path; without both, omit HFP")
        self.alpha = alpha
        self.rounding = rounding
        self.channel_path = channel_path
        self.spatial_path = spatial_path
        self.tail = ConvReLUNorm(
            channels, kernel_size=3, bias=tail_bias, relu=tail_relu, norm=tail_norm
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        response = high_pass(x, self.alpha, self.rounding)
        gates = []
        if self.channel_path is not None:
            gates.append(self.channel_path(response).to(x.dtype))
        if self.spatial_path is not None:
            gates.append(self.spatial_path(response))
        # x u^CP + x u^SP as one product: a whole map less to write and to keep for backward.
        return self.tail(x * sum(gates[1:], gates[0]))

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, rounding={self.rounding!r}"


def build_hfp(switches: Switches, place: int, channels: int) -> nn.Module | None:
    """HFP of the level at ``place`` (0: finest), its control, or None with both paths off."""
    if switches.plain_conv:
        tail = ConvReLUNorm(
            channels,
            kernel_size=3,
            bias=switches.tail_bias,
            relu=switches.tail_relu,
            norm=switches.tail_norm,
        )
        return nn.Sequential(OrderedDict(tail=tail))  # under the name that HFP gives it
    channel_path = spatial_path = None
    if switches.channel_path:
        channel_path = ChannelPath(
            channels,
            pool_size=switches.pool_size[place],
            pool_reduce=switches.pool_reduce,
            fusion=switches.fusion,
            groups=switches.groups,
            bias=switches.gate_bias,
            relu=switches.gate_relu,
        )
    if switches.spatial_path:
        spatial_path = SpatialPath(
            channels, mode=switches.spatial_mode[place], relu=switches.gate_relu
        )
    if channel_path is None and spatial_path is None:
        return None
    return HighFrequencyPerception(
        channels,
        alpha=switches.alpha[place],
        rounding=switches.rounding,
        channel_path=channel_path,
        spatial_path=spatial_path,
        tail_bias=switches.tail_bias,
        tail_relu=switches.tail_relu,
        tail_norm=switches.tail_norm,
    )
