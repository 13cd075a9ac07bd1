"""Deformable 3 x 3 convolution with offsets that are learned from a guide.

Shape shorthand: M maps, C channels, h x w cells.
"""

import torch
from torch import Tensor, nn

from d2freq.ops.deformable import deformable_convolution

__all__ = ["DeformConv"]


class DeformConv(nn.Module):
    """A 3 x 3 convolution that reads where learned offsets point, without mask and bias.

    The offsets are a 3 x 3 convolution of a guide and start at zero, so that it starts as a plain
    convolution (DeRefNet, Eqs. 19 to 21; TDAN). It trains on the CPU too, unlike
    detectron2.layers.DeformConv. 14,418 parameters at 32 channels and one group, 50,832 with eight.
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
        self.offset = nn.Conv2d(channels, 2 * 9 * groups, 3, padding=1)
        for parameter in self.offset.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Sample ``x`` where ``guide`` points to.

        Args:
            x: (M, C, h, w).
            guide: (M, C, h, w), what the offsets are read from.

        Returns:
            (M, C, h, w) float32 also inside autocast: 8 bits are too few for a place on the grid.
        """
        offset = self.offset(guide)
        with torch.autocast(x.device.type, enabled=False):
            return deformable_convolution(x.float(), offset.float(), self.weight.float())
