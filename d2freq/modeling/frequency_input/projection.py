"""How the channels of a stem enter a network that was made for the 64 of an RGB stem.

Shape shorthand: B images, C channels of the stem, D of the stage behind it, h x w the grid.
"""

import torch.nn.functional as F
from detectron2.layers import Conv2d, get_norm
from fvcore.nn.weight_init import c2_msra_fill
from torch import Tensor, nn

from d2freq.modeling.frequency_input.gate import ChannelGate
from d2freq.modeling.frequency_input.input_stem import InputStem

__all__ = ["FrequencyStem", "Projection"]


class Projection(nn.Module):
    """A trained convolution with norm and ReLU, to what a stage with RGB weights is used to.

    Args:
        in_channels: C.
        out_channels: D.
        upsample: r, 1 for a 1x1 convolution; above, a 3x3 convolution to r r D channels of a cell,
            which become D channels of r x r cells (pixel shuffle).
        norm: as Detectron2's ``get_norm`` takes it.
    """

    def __init__(
        self, in_channels: int, out_channels: int = 64, *, upsample: int = 1, norm: str = "BN"
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.upsample = upsample
        side = 1 if upsample == 1 else 3
        wide = upsample**2 * out_channels
        self.conv = Conv2d(in_channels, wide, side, padding=side // 2, bias=not norm)
        self.norm = get_norm(norm, out_channels)
        c2_msra_fill(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, D, r h, r w)."""
        x = F.pixel_shuffle(self.conv(x), self.upsample)
        return F.relu(x if self.norm is None else self.norm(x))


class FrequencyStem(InputStem):
    """A stem, and behind it a gate, a projection, or both.

    Args:
        transform: from pixels to channels.
        gate: with the channels of ``transform``.
        projection: takes them too.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.frequency_input import DCTStem, FrequencyStem, Projection
        >>> transform = DCTStem(mode="8x8", channels="24")
        >>> stem = FrequencyStem(transform, projection=Projection(24, upsample=2))
        >>> tuple(stem(torch.zeros(2, 3, 32, 32)).shape), stem.stride
        ((2, 64, 8, 8), 4)
    """

    def __init__(
        self,
        transform: InputStem,
        *,
        gate: ChannelGate | None = None,
        projection: Projection | None = None,
    ) -> None:
        channels, stride = transform.out_channels, transform.stride
        if projection is not None:
            channels, stride = projection.out_channels, stride // projection.upsample
        super().__init__(channels, stride)
        self.transform = transform
        self.gate = gate
        self.projection = projection
        self.makes_features = projection is not None

    @property
    def size_divisibility(self) -> int:
        """Of what H and W have to be multiples: of the blocks."""
        return self.transform.size_divisibility

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, ``out_channels``, H / ``stride``, W / ``stride``)."""
        x = self.transform(x)
        if self.gate is not None:
            x = self.gate(x)
        return x if self.projection is None else self.projection(x)
