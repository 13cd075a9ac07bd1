"""Pixels to DCT channels inside the model, as one fixed convolution (Learning in the Frequency
Domain, Sec. 3.1).

Shape shorthand: B images, H x W their pixels, C chosen channels, S the stride of the blocks, k x k
the kernel.

Colour conversion, enlargement, block DCT, choice of channels and normalisation are linear, so all
of them together are one convolution of three planes with stride S. Nothing else is kept in memory.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from detectron2.layers import CNNBlockBase
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.frequency_input.channels import select_channels
from d2freq.ops.block_dct import GEOMETRIES, YCBCR, axis_basis
from d2freq.ops.dct import autocast_off

__all__ = ["DCTStem"]


class DCTStem(CNNBlockBase):
    """A ResNet's stem that turns pixels into normalised DCT channels and learns nothing.

    Args:
        mode: "x2", the paper's blocks of the twice enlarged image at stride 4; "8x8", JPEG's blocks
            at stride 8; "4x4", as many coefficients as pixels at stride 4.
        channels: as :func:`~d2freq.modeling.frequency_input.channels.select_channels` takes them.
        input_format: "BGR" or "RGB", the order of the planes.
        pixel_mean: what the detector subtracted from the pixels, a number a plane. It pads with
            zeros after that: with 128 everywhere padding is mid-grey, whose DCT is zero.
        pixel_std: what it then divided by.
        mean: of each chosen channel; zeros by default.
        std: of each chosen channel, above zero; ones by default.

    The buffers ``mean`` and ``std`` (C,) travel with the checkpoint.

    Raises:
        UserError: an unknown mode or format, channels that do not exist, or statistics of another
            channel set.
    """

    mean: Tensor
    std: Tensor
    kernel: Tensor
    shift: Tensor

    def __init__(
        self,
        *,
        mode: str = "x2",
        channels: str | Sequence[int] = "64",
        input_format: str = "BGR",
        pixel_mean: Sequence[float] = (128.0, 128.0, 128.0),
        pixel_std: Sequence[float] = (1.0, 1.0, 1.0),
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        if mode not in GEOMETRIES:
            raise UserError(f"mode {mode!r} of the DCT stem is unknown; {', '.join(GEOMETRIES)}")
        if input_format not in ("BGR", "RGB"):
            raise UserError(
                f"INPUT.FORMAT {input_format!r}: the DCT stem takes RGB or BGR; read grey images "
                "as one of these, which repeats their plane"
            )
        geometry = GEOMETRIES[mode]
        self.channels = select_channels(channels, points=geometry.points)
        super().__init__(3, len(self.channels), geometry.stride)
        self.mode = mode
        kernel, shift = _kernel(mode, self.channels, input_format, pixel_mean, pixel_std)
        self.register_buffer("kernel", kernel, persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("mean", self._statistic("mean", mean, 0.0))
        self.register_buffer("std", self._statistic("std", std, 1.0))
        if std is not None and not all(value > 0 for value in std):
            raise UserError("DCT statistics: a deviation is not above zero; leave its channel out")

    def forward(self, x: Tensor) -> Tensor:
        """Normalised coefficients of every block.

        Args:
            x: (B, 3, H, W) pixels as the detector normalised them; H and W multiples of S.

        Returns:
            (B, C, H / S, W / S) float32, also inside autocast: differences of pixels up to 255
            are more than half precision keeps.

        Raises:
            UserError: an image of another number of planes, or of a size that S does not divide.
        """
        if not torch.jit.is_tracing():
            self._check(x)
        padding = GEOMETRIES[self.mode].padding
        with autocast_off(x):
            weight = self.kernel / self.std[:, None, None, None]
            bias = (self.shift - self.mean) / self.std
            x = x.float()
            if padding:
                x = F.pad(x, [padding] * 4, mode="replicate")
            return F.conv2d(x, weight, bias, stride=self.stride)

    def extra_repr(self) -> str:
        return f"mode={self.mode!r}, channels={len(self.channels)}, stride={self.stride}"

    def _check(self, x: Tensor) -> None:
        if x.dim() != 4 or x.shape[1] != 3:
            raise UserError(f"the DCT stem takes (B, 3, H, W) pixels, got {tuple(x.shape)}")
        if x.shape[2] % self.stride or x.shape[3] % self.stride:
            raise UserError(
                f"the DCT stem with blocks of stride {self.stride} cannot take {x.shape[2]} x "
                f"{x.shape[3]} pixels: pad to multiples of {self.stride}, as an FPN asks for"
            )

    def _statistic(self, name: str, values: Sequence[float] | None, default: float) -> Tensor:
        count = len(self.channels)
        if values is None:
            return torch.full((count,), default)
        if len(values) != count:
            raise UserError(
                f"DCT statistics: {len(values)} values of {name} for {count} channels; measure "
                "them for this set: d2freq dct-statistics"
            )
        return torch.tensor([float(value) for value in values])


def _kernel(
    mode: str,
    channels: Sequence[int],
    input_format: str,
    pixel_mean: Sequence[float],
    pixel_std: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """(C, 3, k, k) float32 from the detector's pixels to coefficients, and (C,) to add."""
    basis = axis_basis(mode)
    points = basis.shape[0]
    # on the CPU also where the model is built without memory, as it is to check a config
    planes = torch.tensor(YCBCR, dtype=torch.float64, device="cpu")
    if input_format == "BGR":
        planes = planes.flip(1)
    numbers = torch.tensor(list(channels), device="cpu")
    component = numbers.div(points * points, rounding_mode="floor")
    down, across = numbers % (points * points) // points, numbers % points
    colours = planes[component]  # (C, 3)
    kernel = torch.einsum("cp,cy,cx->cpyx", colours, basis[down], basis[across])
    scale = torch.tensor(pixel_std, dtype=torch.float64, device="cpu")
    offset = torch.tensor(pixel_mean, dtype=torch.float64, device="cpu") - 128
    # pixel - 128 = detector's value x std + (mean - 128): JPEG's level shift, plane by plane
    shift = torch.einsum("cpyx,p->c", kernel, offset)
    return (kernel * scale[:, None, None]).float(), shift.float()
