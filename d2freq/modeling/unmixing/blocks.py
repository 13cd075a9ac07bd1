"""Blocks that super-resolution networks and DeRefNet share: residual, deformable, pixel shuffle.

Shapes: N images, C channels, h x w pixels.
"""

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

__all__ = ["DeformConv", "ResidualBlock", "convolved_blocks", "residual_blocks", "upsampler"]

RESIDUAL_SCALE = 0.1  # of a block's first weights: a deep stack starts near identity


class ResidualBlock(nn.Module):
    """``x + conv(relu(conv(x)))``, 3 x 3 with bias and without norm; 18,496 parameters at 32."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight)
            conv.weight.data.mul_(RESIDUAL_SCALE)
            _clear(conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        return x + self.conv2(torch.relu(self.conv1(x)))


def residual_blocks(channels: int, count: int) -> nn.Sequential:
    """``count`` blocks, one behind the other."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


def convolved_blocks(inputs: int, channels: int, count: int) -> nn.Sequential:
    """A 3 x 3 convolution to ``channels``, ReLU, and ``count`` residual blocks."""
    first = nn.Conv2d(inputs, channels, 3, padding=1)
    nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
    _clear(first.bias)
    return nn.Sequential(first, nn.ReLU(), *residual_blocks(channels, count))


def upsampler(channels: int, factor: int) -> nn.Sequential:
    """(N, C, h, w) -> (N, C, factor*h, factor*w) by a convolution and a pixel shuffle."""
    return nn.Sequential(
        nn.Conv2d(channels, channels * factor**2, 3, padding=1), nn.PixelShuffle(factor)
    )


class DeformConv(nn.Module):
    """Deformable 3 x 3 convolution, version 1, without bias; its offsets come from a guide.

    The offsets are a 3 x 3 convolution of the guide and start at zero, as a plain convolution.
    14,418 parameters at 32 channels and one group, 50,832 with eight groups.
    """

    def __init__(self, channels: int, *, groups: int = 1) -> None:
        """Set up weight and offsets.

        Args:
            channels: of input, guide and output.
            groups: groups of channels that share their offsets; has to divide ``channels``.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        self.offset = nn.Conv2d(channels, 18 * groups, 3, padding=1)
        _clear(self.offset.weight)
        _clear(self.offset.bias)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Sample ``x`` where ``guide`` says; both (N, C, h, w), as the result, in float32.

        Offsets in 16 bits would be off by up to a hundredth of a pixel, and the kernel has no
        16-bit form on every device.
        """
        offsets = self.offset(guide)
        with torch.autocast(x.device.type, enabled=False):
            return deform_conv2d(x.float(), offsets.float(), self.weight.float(), padding=1)


def _clear(parameter: Tensor | None) -> None:
    if parameter is not None:
        nn.init.zeros_(parameter)
