"""What stands where a ResNet has its first convolution and pooling: the parents of the stems.

Shape shorthand: B images, H x W their pixels, C channels, S the stride of the blocks, k x k the
kernel.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from detectron2.layers import CNNBlockBase
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.backbones.extents import Extents, extents_of
from d2freq.ops.dct import autocast_off

__all__ = ["FixedStem", "InputStem"]


class InputStem(CNNBlockBase):
    """A ResNet's stem from pixels (B, 3, H, W) to (B, C, H / S, W / S).

    Attributes:
        makes_features: whether its channels stand for those of an RGB network's first layers, so
            that what follows may keep the weights of one.
    """

    makes_features = False

    def __init__(self, out_channels: int, stride: int) -> None:
        super().__init__(3, out_channels, stride)

    @property
    def size_divisibility(self) -> int:
        """Of what H and W have to be multiples."""
        return self.stride

    def freeze(self) -> "InputStem":
        """Nothing: what a stem here learns has no weights to begin with, so it goes on learning."""
        return self

    def check_pixels(self, x: Tensor) -> None:
        """Raise UserError for images of other planes, or of a size that S does not divide."""
        if x.dim() != 4 or x.shape[1] != 3:
            raise UserError(f"the stem takes (B, 3, H, W) pixels, got {tuple(x.shape)}")
        if x.shape[2] % self.stride or x.shape[3] % self.stride:
            raise UserError(
                f"the stem with blocks of stride {self.stride} cannot take {x.shape[2]} x "
                f"{x.shape[3]} pixels: pad to multiples of {self.stride}, as an FPN asks for, or "
                "cut to them (INPUT.CLASSIFICATION.CROP of a classifier)"
            )


class FixedStem(InputStem):
    """A fixed linear transform of every block of pixels, its channels normalised.

    Transform, level shift and normalisation are linear, so all of them together are one
    convolution of three planes with stride S. Nothing else is kept in memory.

    Args:
        kernel: (C, 3, k, k) float64, from R, G, B in [-128, 127] to channels.
        stride: S.
        padding: pixels that the border repeats on every side.
        input_format: "BGR" or "RGB", the order of the planes that the detector gives.
        pixel_mean: what the detector subtracted from the pixels, a number a plane. It pads with
            zeros after that: with 128 everywhere padding is mid-grey, whose transform is zero.
        pixel_std: what it then divided by.
        mean: of each channel; zeros by default.
        std: of each channel, above zero; ones by default.

    The buffers ``mean`` and ``std`` (C,) travel with the checkpoint.

    Raises:
        UserError: an unknown format, or statistics that are not for these channels.
    """

    mean: Tensor
    std: Tensor
    kernel: Tensor
    shift: Tensor

    def __init__(
        self,
        kernel: Tensor,
        *,
        stride: int,
        padding: int = 0,
        input_format: str = "BGR",
        pixel_mean: Sequence[float] = (128.0, 128.0, 128.0),
        pixel_std: Sequence[float] = (1.0, 1.0, 1.0),
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        if input_format not in ("BGR", "RGB"):
            raise UserError(
                f"INPUT.FORMAT {input_format!r}: the stem takes RGB or BGR; read grey images as "
                "one of these, which repeats their plane"
            )
        super().__init__(len(kernel), stride)
        self.padding = padding
        self.pixel_mean = [float(value) for value in pixel_mean]
        self.pixel_std = [float(value) for value in pixel_std]
        if input_format == "BGR":
            kernel = kernel.flip(1)
        scale = torch.tensor(self.pixel_std, dtype=torch.float64, device="cpu")
        offset = torch.tensor(self.pixel_mean, dtype=torch.float64, device="cpu") - 128
        # pixel - 128 = detector's value x std + (mean - 128): JPEG's level shift, plane by plane
        shift = torch.einsum("cpyx,p->c", kernel, offset)
        self.register_buffer("kernel", (kernel * scale[:, None, None]).float(), persistent=False)
        self.register_buffer("shift", shift.float(), persistent=False)
        self.register_buffer("mean", self._statistic("mean", mean, 0.0))
        self.register_buffer("std", self._statistic("std", std, 1.0))
        if std is not None and not all(value > 0 for value in std):
            raise UserError("statistics: a deviation is not above zero; leave its channel out")

    def forward(self, x: Tensor) -> Tensor:
        """Normalised channels of every block.

        Args:
            x: (B, 3, H, W) pixels as the detector normalised them; H and W multiples of S.

        Returns:
            (B, C, H / S, W / S) float32, also inside autocast: differences of pixels up to 255
            are more than half precision keeps. On a GPU with TF32 convolutions (torch's default)
            the kernel is rounded to 11 bits, which is below 0.1 % of the deviation of the common
            channels and some per cent of that of the rarest.

        Raises:
            UserError: an image of another number of planes, of a size that S does not divide, or
                of more than 8 bits (seen on the CPU; `train_net.py` looks into the files).
        """
        if not torch.jit.is_tracing():
            self.check_pixels(x)
            self._check_depth(x)
        with autocast_off(x):
            weight = self.kernel / self.std[:, None, None, None]
            bias = (self.shift - self.mean) / self.std
            extents = extents_of(x)
            x = x.float()
            if self.padding:
                x = F.pad(x, [self.padding] * 4, mode="replicate")
                if extents is not None:
                    _repeat_own_borders(x, extents, self.padding)
            return F.conv2d(x, weight, bias, stride=self.stride)

    def _check_depth(self, x: Tensor) -> None:
        """Raise UserError for pixels far above 255, of whichever plane."""
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return  # no values, or values that a GPU's queue would have to be emptied for
        highest = x.detach().amax((0, 2, 3)).tolist()
        planes = zip(highest, self.pixel_std, self.pixel_mean, strict=True)
        brightest = max(value * std + mean for value, std, mean in planes)
        if brightest > 2 * 255:  # augmentations may exceed 255, but not by as much
            raise UserError(
                f"the stem got a pixel of {brightest:.0f}: images of more than 8 bits, such as 16, "
                "have to be scaled to 8 bits first; d2freq validate names such files"
            )

    def _statistic(self, name: str, values: Sequence[float] | None, default: float) -> Tensor:
        count = self.out_channels
        if values is None:
            return torch.full((count,), default)
        if len(values) != count:
            raise UserError(
                f"statistics: {len(values)} values of {name} for {count} channels; measure them "
                "for this set: d2freq dct-statistics"
            )
        # real numbers also in a model without memory, as the kernel is
        return torch.tensor([float(value) for value in values], device="cpu")


def _repeat_own_borders(x: Tensor, extents: Extents, width: int) -> None:
    """Let each image of a padded batch repeat its own border, as it would alone; in place.

    Args:
        x: (B, 3, H + 2 width, W + 2 width), the batch with its border repeated.
        extents: of its images; without ``width``.
        width: of the border.
    """
    for (height, length), places in extents.groups.items():
        below, right = height + width, length + width
        for place in places:
            image = x[place]
            image[:, below : below + width, :] = image[:, below - 1 : below, :]
            image[:, :, right : right + width] = image[:, :, right - 1 : right]
