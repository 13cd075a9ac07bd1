"""Blocks that super-resolution networks and DeRefNet share: convolution, residual, pixel shuffle.

Shapes: N images, C channels, h x w pixels.
"""

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["ResidualBlock", "convolved_blocks", "relu_conv3x3", "residual_blocks", "upsampler"]

RESIDUAL_SCALE = 0.1  # of a block's first weights: a deep stack starts near identity


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
