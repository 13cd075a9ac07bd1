"""Adaptive pools that ONNX export can write down.

Shape shorthand: B images, C channels, H x W the map, k cells per side; cell i of an axis of N
numbers spans those from floor(i N / k) to ceil((i + 1) N / k).

ONNX has no adaptive pool, and its exporter unrolls torch's for one fixed size. Only while a model
is exported to ONNX do these functions compute the same cells from arithmetic on the size instead.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d", "cell_averages", "cell_maxima"]


def adaptive_avg_pool2d(x: Tensor, cells: int) -> Tensor:
    """Means of the k x k cells, as torch's function of that name. (B, C, H, W) -> (B, C, k, k)."""
    if torch.onnx.is_in_onnx_export():
        return cell_averages(x, cells)
    return F.adaptive_avg_pool2d(x, cells)


def adaptive_max_pool2d(x: Tensor, cells: int) -> Tensor:
    """Maxima of the k x k cells, as torch's function of that name; shapes as above.

    Examples:
        >>> import torch
        >>> from d2freq.ops.pooling import adaptive_max_pool2d
        >>> tuple(adaptive_max_pool2d(torch.randn(2, 4, 5, 7), 3).shape)
        (2, 4, 3, 3)
    """
    if torch.onnx.is_in_onnx_export():
        return cell_maxima(x, cells)
    return F.adaptive_max_pool2d(x, cells)


def cell_averages(x: Tensor, cells: int) -> Tensor:
    """:func:`adaptive_avg_pool2d` as a product with one matrix an axis."""
    down, across = (_averaging_matrix(size, cells, like=x) for size in x.shape[-2:])
    return down @ x @ across.t()


def cell_maxima(x: Tensor, cells: int) -> Tensor:
    """:func:`adaptive_max_pool2d` as a gather and a maximum along each axis in turn."""
    return _axis_maxima(_axis_maxima(x, cells).transpose(2, 3), cells).transpose(2, 3)


def _axis_maxima(x: Tensor, cells: int) -> Tensor:
    """Maxima along W. (B, C, H, W) -> (B, C, H, k)."""
    batch, channels, height, width = x.shape
    start, end = _borders(width, cells, x.device)
    # No cell is longer than this; the shorter ones name their last number again.
    longest = width // cells + 2
    index = torch.minimum(start[:, None] + torch.arange(longest, device=x.device), end[:, None] - 1)
    gathered = x.index_select(3, index.flatten())
    # reshape: ONNX export would take the sizes of the example for good behind an unflatten.
    return gathered.reshape(batch, channels, height, cells, longest).amax(4)


def _averaging_matrix(size: int, cells: int, like: Tensor) -> Tensor:
    """(k, N): row i holds one over the cell's length inside the cell, else 0."""
    start, end = _borders(size, cells, like.device)
    place = torch.arange(size, device=like.device)
    inside = (place >= start[:, None]) & (place < end[:, None])
    return inside.to(like.dtype) / (end - start)[:, None].to(like.dtype)


def _borders(size: int, cells: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """First number of each cell, and the one after its last, both (k,) int64."""
    cell = torch.arange(cells, device=device)
    down, up = cell * size, (cell + 1) * size + (cells - 1)
    return down // cells, up // cells
