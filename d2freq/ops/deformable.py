"""Deformable convolution, version 1, by the operator that is fast on the device at hand.

Shape shorthand: M maps, C input and D output channels, G groups of channels that share their
offsets, h x w cells in and h' x w' out, K x K taps (K odd).
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

__all__ = ["deformable_convolution"]


def deformable_convolution(
    x: Tensor, offset: Tensor, weight: Tensor, *, stride: int = 1, dilation: int = 1
) -> Tensor:
    """Deformable convolution without mask and bias, padded as the plain one that keeps the size.

    torchvision.ops.deform_conv2d on a GPU; its backward on the CPU is several times slower than
    sampling with ``grid_sample`` and one matrix product, which gives the same numbers. While a
    trace is recorded it is the sampling too, since ONNX has no deformable convolution that its
    runtime carries out.

    Args:
        x: (M, C, h, w) floating.
        offset: (M, G*2*K*K, h', w'), by group (row, column) in cells for each tap, taps row by row;
            h' is h / stride, rounded up.
        weight: (D, C, K, K).
        stride: of the kernel's centre, in cells.
        dilation: distance of two taps in cells.

    Returns:
        (M, D, h', w') in the dtype of ``x``; what is sampled outside the map is 0.

    Examples:
        >>> import torch
        >>> from d2freq.ops.deformable import deformable_convolution
        >>> x, weight = torch.randn(1, 4, 6, 7), torch.randn(2, 4, 3, 3)
        >>> found = deformable_convolution(x, torch.zeros(1, 18, 3, 4), weight, stride=2)
        >>> plain = torch.nn.functional.conv2d(x, weight, stride=2, padding=1)
        >>> torch.allclose(found, plain, atol=1e-5)
        True
    """
    tracing = torch.jit.is_tracing()
    side = weight.shape[-1]
    if x.device.type != "cpu" and not tracing:
        padding = dilation * (side // 2)
        return deform_conv2d(x, offset, weight, stride=stride, padding=padding, dilation=dilation)
    count, channels, height, width = x.shape
    lower, right_end = offset.shape[-2:]
    groups = offset.shape[1] // (2 * side * side)
    taps = (_numbers(side, x) - side // 2) * dilation
    moved = offset.reshape(count * groups, side * side, 2, lower, right_end)
    down, right = taps.repeat_interleave(side), taps.repeat(side)
    rows = _numbers(lower, x)[:, None] * stride + down[:, None, None]
    columns = _numbers(right_end, x) * stride + right[:, None, None]
    # grid_sample speaks of (column, row), and of -1 to 1: from the first cell's centre to the
    # last's, or, where there is but one cell or a trace has to serve any size, from edge to edge
    corners = not tracing and min(height, width) > 1
    where = torch.stack(
        [
            _from_minus_one_to_one(moved[:, :, 1] + columns, width, corners),
            _from_minus_one_to_one(moved[:, :, 0] + rows, height, corners),
        ],
        dim=-1,
    )
    own = x.reshape(count * groups, channels // groups, height, width)
    found = F.grid_sample(own, where.flatten(1, 2), padding_mode="zeros", align_corners=corners)
    found = found.reshape(count, channels * side * side, lower * right_end)
    # bmm, since a product with a 2-D matrix would copy the samples, the largest tensor of all
    product = weight.flatten(1).expand(count, -1, -1).bmm(found)
    return product.reshape(count, -1, lower, right_end)


def _numbers(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, dtype=like.dtype, device=like.device)


def _from_minus_one_to_one(cells: Tensor, length: int, corners: bool) -> Tensor:
    if corners:
        return cells * (2 / (length - 1)) - 1
    return (cells * 2 + 1) / length - 1
