"""Blocks that super-resolution networks and DeRefNet share: convolution, residual, pixel shuffle.

Shapes: N images, C channels, h x w pixels.
"""

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = [
    "ResidualBlock",
    "ResidualDenseBlock",
    "convolved_blocks",
    "enlarging",
    "narrowed",
    "reducing",
    "relu_conv3x3",
    "residual_blocks",
    "upsampler",
]

RESIDUAL_SCALE = 0.1  # of a block's first weights: a deep stack starts near identity
SLOPE = 0.2  # of a PReLU below zero, at its start


def relu_conv3x3(
    inputs: int, outputs: int, *, mode: Literal["fan_in", "fan_out"] = "fan_out"
) -> nn.Conv2d:
    """Size-keeping 3 x 3 convolution for a ReLU beside it: Kaiming-normal weights, bias 0.

    Args:
        inputs, outputs: channels.
        mode: what keeps its variance.
    """
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, mode=mode, nonlinearity="relu")
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


class ResidualBlock(nn.Module):
    """``x + conv(relu(conv(x)))``, 3 x 3 with bias and without norm; 18,496 parameters at 32."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = relu_conv3x3(channels, channels, mode="fan_in")
        self.conv2 = relu_conv3x3(channels, channels, mode="fan_in")
        for conv in (self.conv1, self.conv2):
            conv.weight.data.mul_(RESIDUAL_SCALE)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        return x + self.conv2(torch.relu(self.conv1(x)))


def residual_blocks(channels: int, count: int) -> nn.Sequential:
    """``count`` blocks, one behind the other."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


def convolved_blocks(inputs: int, channels: int, count: int) -> nn.Sequential:
    """A 3 x 3 convolution to ``channels``, ReLU, and ``count`` residual blocks."""
    blocks = residual_blocks(channels, count)
    return nn.Sequential(relu_conv3x3(inputs, channels), nn.ReLU(), *blocks)


def upsampler(channels: int, factor: int) -> nn.Sequential:
    """(N, C, h, w) -> (N, C, factor*h, factor*w) by a convolution and a pixel shuffle."""
    return nn.Sequential(
        nn.Conv2d(channels, channels * factor**2, 3, padding=1), nn.PixelShuffle(factor)
    )


def narrowed(first: int, channels: int) -> nn.Sequential:
    """(N, 1, h, w) -> (N, channels, h, w): 3 x 3 to ``first`` channels, 1 x 1 to fewer, PReLUs."""
    wide, narrow = nn.Conv2d(1, first, 3, padding=1), nn.Conv2d(first, channels, 1)
    for conv in (wide, narrow):
        nn.init.kaiming_normal_(conv.weight, SLOPE)
    return nn.Sequential(wide, nn.PReLU(init=SLOPE), narrow, nn.PReLU(init=SLOPE))


def enlarging(channels: int, factor: int) -> nn.Sequential:
    """(N, C, h, w) -> (N, C, factor*h, factor*w) by a transposed convolution and a PReLU.

    The kernel has factor + 4 cells a side, so that pixel i stays in the middle of its cells where
    the factor is odd.
    """
    kernel, padding = factor + 4, 2
    conv = nn.ConvTranspose2d(channels, channels, kernel, stride=factor, padding=padding)
    # a cell adds up (kernel / factor)^2 places of each channel, less than torch's fans
    nn.init.kaiming_normal_(conv.weight, SLOPE)
    conv.weight.data.mul_(factor)
    return nn.Sequential(conv, nn.PReLU(init=SLOPE))


def reducing(channels: int, factor: int) -> nn.Sequential:
    """(N, C, factor*h, factor*w) -> (N, C, h, w), the way back of :func:`enlarging`."""
    kernel, padding = factor + 4, 2
    conv = nn.Conv2d(channels, channels, kernel, stride=factor, padding=padding)
    nn.init.kaiming_normal_(conv.weight, SLOPE)
    return nn.Sequential(conv, nn.PReLU(init=SLOPE))


class ResidualDenseBlock(nn.Module):
    """Layers that see all maps before them, fused to C channels and added; (N, C, h, w) -> same."""

    def __init__(
        self, channels: int, layers: int, *, scale: float = 1.0, leaky: bool = False
    ) -> None:
        """Set up the layers.

        Args:
            channels: of the block, and of what each layer adds.
            layers: 3 x 3 convolutions.
            scale: of what is added to the input.
            leaky: PReLUs in the place of ReLUs.
        """
        super().__init__()
        self.scale = scale
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels * (number + 1), channels, 3, padding=1),
                nn.PReLU(init=SLOPE) if leaky else nn.ReLU(),
            )
            for number in range(layers)
        )
        self.fuse = nn.Conv2d(channels * (layers + 1), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        maps = x
        for layer in self.layers:
            maps = torch.cat([maps, layer(maps)], dim=1)
        return x + self.scale * self.fuse(maps)
