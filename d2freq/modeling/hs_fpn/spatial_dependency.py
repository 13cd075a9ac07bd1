"""SDP, the spatial dependency perception module (HS-FPN, Sec. 3.2 and Fig. 6).

Shape shorthand: B images, C channels, H x W of this level, h x w = H/2 x W/2 of the level above,
g windows per side (2, 4, 8 at P4, P3, P2: a window is as large as the map of P5, H5 x W5),
r x s = H/g x W/g the window, n = g g windows.

The paper upsamples the level above to H x W before it computes keys. Nearest upsampling repeats
every pixel 2 x 2 times and commutes with 1x1 convolution, ReLU and normalisation, and softmax over
repeated keys is softmax over the single ones weighted by how often each occurs. So keys and values
are computed and attended at h x w: equal results, a quarter of the products and of the memory.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2freq.modeling.hs_fpn.layers import ConvReLUNorm

__all__ = ["SpatialDependencyPerception"]


class SpatialDependencyPerception(nn.Module):
    """SDP: each pixel attends to the window of the level above that lies under its own window.

    Single-headed, without output projection or positional encoding; the level is added to the
    result. No score matrix is kept.

    Keys and values are computed at half size, before upsampling, so there are fewer multiply-adds
    than the paper counts: at 800 x 800 the q and k convolutions take 4.3 G where Table 5's 6.96 G
    hold 6.88 G of them, and the attention, which that table leaves out, 4.5 G in place of 16.8 G.

    Args:
        channels: C.
        norm: after each 1x1 convolution, "" for none.
        relu: between convolution and norm.
        separate_value: a convolution of its own for the values; otherwise the keys serve.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.hs_fpn import SpatialDependencyPerception
        >>> sdp = SpatialDependencyPerception(32)
        >>> tuple(sdp(torch.randn(1, 32, 16, 24), torch.randn(1, 32, 8, 12), grid=2).shape)
        (1, 32, 16, 24)
    """

    def __init__(
        self,
        channels: int,
        *,
        norm: str = "GN",
        relu: bool = True,
        separate_value: bool = False,
    ) -> None:
        super().__init__()

        def projection() -> ConvReLUNorm:
            return ConvReLUNorm(channels, kernel_size=1, bias=False, relu=relu, norm=norm)

        self.query = projection()
        self.key = projection()
        self.value = projection() if separate_value else None

    def forward(self, x: Tensor, above: Tensor, grid: int) -> Tensor:
        """Enrich a level by the level above.

        Args:
            x: (B, C, H, W).
            above: (B, C, H/2, W/2).
            grid: g, windows per side, an even number; H and W have to be multiples of it.

        Returns:
            (B, C, H, W).
        """
        if not torch.jit.is_tracing():
            _check_sizes(x, above, grid)
        queries = _split(self.query(x), grid).permute(0, 2, 4, 3, 5, 1)  # (B, g, g, r, s, C)
        keys = _windows_under(self.key(above), grid)
        values = keys if self.value is None else _windows_under(self.value(above), grid)

        # The windows stand in the place of the heads, so one bias serves all images.
        mixed = F.scaled_dot_product_attention(
            queries.flatten(3, 4).flatten(1, 2),
            keys,
            values,
            attn_mask=_repetition_bias(queries.shape[3:5], grid, like=keys),
        )
        mixed = mixed.reshape(queries.shape).permute(0, 5, 1, 3, 2, 4)
        # Added window by window: the one write that puts the windows back is the residual's.
        return (_split(x, grid) + mixed).reshape(x.shape)


def _split(x: Tensor, parts: int) -> Tensor:
    """(B, C, H, W) -> (B, C, g, H / g, g, W / g)."""
    batch, channels, height, width = x.shape
    # reshape: ONNX export would take the sizes of the example for good behind an unflatten.
    return x.reshape(batch, channels, parts, height // parts, parts, width // parts)


def _windows_under(above: Tensor, grid: int) -> Tensor:
    """(B, C, h, w) -> (B, n, l, C): the pixels of the level above under each window.

    A window of odd size cuts through a pixel, which then belongs to both of its neighbours.
    """
    halves = _halve(_halve(_split(above, grid // 2), 5), 3)  # (B, C, g/2, 2, r', g/2, 2, s')
    windows = halves.permute(0, 2, 3, 5, 6, 4, 7, 1)
    return windows.flatten(5, 6).flatten(1, 4)


def _halve(x: Tensor, dim: int) -> Tensor:
    """Split an axis into its two halves (2, ceil(size / 2)); odd sizes share the middle."""
    size = x.shape[dim]
    half = (size + 1) // 2
    return torch.stack((x.narrow(dim, 0, half), x.narrow(dim, size - half, half)), dim=dim)


def _repetition_bias(window: Sequence[int], grid: int, like: Tensor) -> Tensor | None:
    """Logarithm of how often upsampling repeats each key, up to a constant: (1, n, 1, l).

    ``None`` where all keys are repeated equally often, that is, where both window sizes are even.
    """
    rows, columns = window
    if not _sizes_are_symbols() and rows % 2 == 0 and columns % 2 == 0:
        return None
    down = _axis_bias(rows, grid, like)
    across = _axis_bias(columns, grid, like)
    bias = down[:, None, :, None] + across[None, :, None, :]
    return bias.flatten(2, 3).flatten(0, 1)[None, :, None]


def _axis_bias(size: int, grid: int, like: Tensor) -> Tensor:
    """(g, ceil(size / 2)): -log 2 at the pixel that an odd window shares, else 0."""
    half = (size + 1) // 2
    position = torch.arange(half, device=like.device)
    is_cut = torch.stack((position == half - 1, position == 0))
    bias = is_cut.to(like.dtype) * (-math.log(2) * (size % 2))
    return bias.repeat(grid // 2, 1)


def _sizes_are_symbols() -> bool:
    """Whether the graph being recorded has to serve even and odd windows alike.

    So it is in torch.jit.trace and torch.export; torch.compile compiles each kind by itself.
    """
    if torch.jit.is_tracing():
        return True
    return torch.compiler.is_compiling() and not torch.compiler.is_dynamo_compiling()


def _check_sizes(x: Tensor, above: Tensor, grid: int) -> None:
    sizes, halves = x.shape[-2:], above.shape[-2:]
    fits = all(a == 2 * b and a % grid == 0 for a, b in zip(sizes, halves, strict=True))
    if grid % 2 or not fits:
        raise ValueError(
            f"SDP: a level of {tuple(sizes)} under one of {tuple(halves)} with {grid} windows per "
            "side: the level has to be twice as large as the one above and a multiple of the "
            "windows, which have to be an even number"
        )
