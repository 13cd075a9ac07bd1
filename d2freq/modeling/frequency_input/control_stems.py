"""What the DCT stem is to be compared with: the same place and shape, without its basis.

Shape shorthand: B images, H x W their pixels, C channels, S the stride, k x k the kernel.

The coefficients of a block are a linear function of a few pixels, so a gain over RGB may come from
the missing first layers or from the basis. These, and ``rotation_seed`` of the DCT stem, tell them
apart.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from detectron2.layers import Conv2d
from fvcore.nn.weight_init import c2_msra_fill
from torch import Tensor

from d2freq.modeling.frequency_input.dct_stem import get_geometry
from d2freq.modeling.frequency_input.input_stem import FixedStem, InputStem
from d2freq.ops.block_dct import YCBCR, axis_basis
from d2freq.utils.choices import choice

__all__ = ["LearnedStem", "UnshuffleStem"]


class UnshuffleStem(FixedStem):
    """Pixels of 4 x 4 cells as channels, at stride 4: the numbers as they are, no transform.

    Args:
        channels: "all", the 48 of R, G and B, plane by plane in raster order (of the order of
            ``input_format``); "420", 24 numbers: 16 of Y, and of Cb and Cr the means of 2 x 2
            pixels, as JPEG keeps them.

    The others are those of :class:`FixedStem`.

    Raises:
        UserError: other channels, an unknown format, or statistics of another channel set.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.frequency_input import UnshuffleStem
        >>> tuple(UnshuffleStem(channels="420")(torch.zeros(1, 3, 16, 16)).shape)
        (1, 24, 4, 4)
    """

    def __init__(
        self,
        *,
        channels: str = "all",
        input_format: str = "BGR",
        pixel_mean: Sequence[float] = (128.0, 128.0, 128.0),
        pixel_std: Sequence[float] = (1.0, 1.0, 1.0),
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        choice(channels, ("all", "420"), key="channels of the pixel unshuffle")
        pixels = torch.eye(16, dtype=torch.float64, device="cpu").view(16, 4, 4)
        if channels == "all":
            planes = torch.eye(3, dtype=torch.float64, device="cpu")
            if input_format == "BGR":
                planes = planes.flip(0)
            parts = [(plane, pixels) for plane in planes]
        else:
            luma, *chroma = torch.tensor(YCBCR, dtype=torch.float64, device="cpu")
            cells = F.avg_pool2d(pixels.unflatten(0, (4, 4)).permute(2, 3, 0, 1), 2)
            means = cells.permute(2, 3, 0, 1).flatten(0, 1)  # (4, 4, 4): of each 2 x 2, its pixels
            parts = [(luma, pixels), *((plane, means) for plane in chroma)]
        kernel = torch.cat([torch.einsum("p,cyx->cpyx", *part) for part in parts])
        super().__init__(
            kernel,
            stride=4,
            input_format=input_format,
            pixel_mean=pixel_mean,
            pixel_std=pixel_std,
            mean=mean,
            std=std,
        )
        self.channels = channels


class LearnedStem(InputStem):
    """A learned convolution with the kernel size, stride and border of a DCT mode.

    Args:
        mode: "8x8" for 8 x 8 pixels at stride 8, "x2" for 6 x 6 at stride 4, "4x4" for 4 x 4 at
            stride 4, "x4" for 4 x 4 at stride 2, "8x8-420" for 10 x 10 at stride 8.
        out_channels: C.

    Raises:
        UserError: an unknown mode.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.frequency_input import LearnedStem
        >>> tuple(LearnedStem(mode="8x8", out_channels=16)(torch.zeros(1, 3, 16, 16)).shape)
        (1, 16, 2, 2)
    """

    def __init__(self, *, mode: str = "8x8", out_channels: int = 64) -> None:
        geometry = get_geometry(mode)
        super().__init__(out_channels, geometry.stride)
        self.mode = mode
        self.padding = geometry.padding
        side = axis_basis(mode).shape[1]
        self.conv = Conv2d(3, out_channels, side, stride=geometry.stride)
        c2_msra_fill(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3, H, W), H and W multiples of S, to (B, C, H / S, W / S)."""
        if not torch.jit.is_tracing():
            self.check_pixels(x)
        if self.padding:
            x = F.pad(x, [self.padding] * 4, mode="replicate")
        return self.conv(x)
