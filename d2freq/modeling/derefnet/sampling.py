"""The deformable convolution, by the operator that is fast on the device at hand.

Shape shorthand: M maps, C input and D output channels, h x w cells, K x K taps (K odd).
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

__all__ = ["deformable_convolution"]


def deformable_convolution(x: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    """Size-keeping deformable convolution, stride 1, without mask and bias (DeRefNet, Eq. 21).

    torchvision.ops.deform_conv2d on a GPU; its backward on the CPU is several times slower than
    sampling with ``grid_sample`` and one matrix product, which gives the same numbers.

    Args:
        x: (M, C, h, w) floating, h and w of at least 2.
        offset: (M, 2*K*K, h, w), (row, column) in cells for each tap, taps row by row.
        weight: (D, C, K, K).

    Returns:
        (M, D, h, w) in the dtype of ``x``; what is sampled outside the map is 0.
    """
    if x.device.type != "cpu":
        return deform_conv2d(x, offset, weight, padding=weight.shape[-1] // 2)
    count, channels, height, width = x.shape
    side = weight.shape[-1]
    taps = torch.arange(side, dtype=x.dtype) - side // 2
    moved = offset.view(count, side * side, 2, height, width)
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
    found = F.grid_sample(x, where.flatten(1, 2), padding_mode="zeros", align_corners=True)
    found = found.view(count, channels * side * side, height * width)
    # bmm, since a product with a 2-D matrix would copy the samples, the largest tensor of all
    return weight.flatten(1).expand(count, -1, -1).bmm(found).unflatten(-1, (height, width))
