"""The generators of SRGAN and ESRGAN, from a frame to a grid.

Shapes: N frames of m x m pixels, g = factor * m cells a side, C channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2freq.modeling.unmixing.blocks import residual_blocks, upsampler

__all__ = ["DenseGenerator", "ResidualGenerator"]

SLOPE = 0.1  # of leaky ReLUs below zero, behind SRGAN's layers
DENSE_SLOPE = 0.2  # and in ESRGAN's
SCALE = 0.2  # of what a dense block adds


class ResidualGenerator(nn.Module):
    """SRGAN's, without batch norm, and with the enlarged frame added; 1,552,193 parameters.

    (N, 1, m, m) -> (N, 1, g, g).
    """

    def __init__(self, channels: int, blocks: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.body = residual_blocks(channels, blocks)
        self.enlarge = upsampler(channels, factor)
        self.fine = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        x = self.body(F.leaky_relu(self.first(frames), SLOPE))
        x = F.leaky_relu(self.enlarge(x), SLOPE)
        x = self.last(F.leaky_relu(self.fine(x), SLOPE))
        return x + F.interpolate(frames, scale_factor=self.factor, mode="bilinear")


class DenseGenerator(nn.Module):
    """ESRGAN's: blocks of three dense blocks each; 16,695,681 parameters with 23 blocks.

    (N, 1, m, m) -> (N, 1, g, g). The original enlarges twice by two, with a convolution behind
    each. Here the first of them has the whole factor before it, the second none.
    """

    def __init__(self, channels: int, growth: int, blocks: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(_Block(channels, growth) for _ in range(blocks)))
        self.body = nn.Conv2d(channels, channels, 3, padding=1)
        self.enlarged = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.fine = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        first = self.first(frames)
        x = first + self.body(self.blocks(first))
        x = F.interpolate(x, scale_factor=self.factor, mode="nearest")
        for conv in (*self.enlarged, self.fine):
            x = F.leaky_relu(conv(x), DENSE_SLOPE)
        return self.last(x)


class _Block(nn.Module):
    """Three dense blocks, a fifth of whose sum is added to the input; (N, C, m, m) -> the same."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.parts = nn.Sequential(*(_Dense(channels, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + SCALE * self.parts(x)


class _Dense(nn.Module):
    """Four layers that add ``growth`` maps each, and one that leads back to C channels."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.grow = nn.ModuleList(
            nn.Conv2d(channels + number * growth, growth, 3, padding=1) for number in range(4)
        )
        self.join = nn.Conv2d(channels + 4 * growth, channels, 3, padding=1)
        for conv in (*self.grow, self.join):  # a deep stack starts near identity
            nn.init.kaiming_normal_(conv.weight)
            conv.weight.data.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        maps = x
        for conv in self.grow:
            maps = torch.cat([maps, F.leaky_relu(conv(maps), DENSE_SLOPE)], dim=1)
        return x + SCALE * self.join(maps)
