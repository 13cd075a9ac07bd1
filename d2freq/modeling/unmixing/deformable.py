"""Deformable 3 x 3 convolution, version 1, by the operator that is fast on the device at hand.

Shape shorthand: M maps, C input and D output channels, G groups of channels that share their
offsets, h x w cells, K x K taps (K odd).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

__all__ = ["DeformConv", "deformable_convolution"]


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


def deformable_convolution(x: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    """Size-keeping deformable convolution, stride 1, without mask and bias (DeRefNet, Eq. 21).

    torchvision.ops.deform_conv2d on a GPU; its backward on the CPU is several times slower than
    sampling with ``grid_sample`` and one matrix product, which gives the same numbers.

    Args:
        x: (M, C, h, w) floating, h and w of at least 2.
        offset: (M, G*2*K*K, h, w), by group (row, column) in cells for each tap, taps row by row.
        weight: (D, C, K, K).

    Returns:
        (M, D, h, w) in the dtype of ``x``; what is sampled outside the map is 0.
    """
    if x.device.type != "cpu":
        return deform_conv2d(x, offset, weight, padding=weight.shape[-1] // 2)
    count, channels, height, width = x.shape
    side = weight.shape[-1]
    groups = offset.shape[1] // (2 * side * side)
    taps = torch.arange(side, dtype=x.dtype) - side // 2
    moved = offset.reshape(count * groups, side * side, 2, height, width)
    down, right = taps.repeat_interleave(side), taps.repeat(side)
    rows = torch.arange(height, dtype=x.dtype)[:, None] + down[:, None, None]
    columns = torch.arange(width, dtype=x.dtype) + right[:, None, None]
    # grid_sample speaks of (column, row), and of -1 to 1 from the first cell's centre to the last's
    where = torch.stack(
        [
            (moved[:, :, 1] + columns) * (2 / (width - 1)) - 1,
            (moved[:, :, 0] + rows) * (2 / (height - 1)) - 1,
        ],
        dim=-1,
    )
    own = x.reshape(count * groups, channels // groups, height, width)
    found = F.grid_sample(own, where.flatten(1, 2), padding_mode="zeros", align_corners=True)
    found = found.reshape(count, channels * side * side, height * width)
    # bmm, since a product with a 2-D matrix would copy the samples, the largest tensor of all
    return weight.flatten(1).expand(count, -1, -1).bmm(found).unflatten(-1, (height, width))
