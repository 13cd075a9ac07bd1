"""ROIAlign whose gradient is one sparse product: the same values, and faster learning on a CPU.

Shape shorthand: B images, C channels, H x W the map, R regions, P x Q bins of a region, K samples
of a bin along one axis.

The pooled value of a bin is a weighted sum of cells of the map, so that pooling is a sparse matrix
of (R P Q) x (B H W) numbers applied to each channel, and its gradient the transposed matrix. The
forward pass is torchvision's own; torchvision's backward on a CPU is a loop over single numbers.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torchvision.ops import roi_align as torchvision_roi_align

__all__ = ["pooling_matrix", "roi_align"]


def roi_align(
    x: Tensor,
    regions: Tensor,
    output_size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int = 0,
    aligned: bool = True,
) -> Tensor:
    """Crops of a map at regions, as ``torchvision.ops.roi_align``: equal values, equal gradients.

    Values are equal to the last bit, gradients up to the rounding of a sum in another order. There
    is no second derivative.

    Args:
        x: (B, C, H, W), of a dtype that torchvision takes; in autocast of any.
        regions: (R, 5), the image's index and XYXY in pixels of the image, in the dtype of ``x``.
        output_size: (P, Q).
        spatial_scale: cells in a pixel, 1 / stride.
        sampling_ratio: K, or 0: as many as a bin is cells long, rounded up.
        aligned: shift by half a cell, so that coordinates meet the cells' centres.

    Returns:
        (R, C, P, Q).

    Examples:
        >>> import torch
        >>> from d2freq.ops.region_pooling import roi_align
        >>> regions = torch.tensor([[0.0, 4.0, 4.0, 20.0, 28.0]])
        >>> tuple(roi_align(torch.randn(1, 8, 16, 16), regions, (7, 7), 0.25).shape)
        (1, 8, 7, 7)
    """
    return _SparseBackward.apply(x, regions, output_size, spatial_scale, sampling_ratio, aligned)


class _SparseBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, regions: Tensor, *how: Any) -> Tensor:
        ctx.save_for_backward(regions)
        ctx.shape, ctx.how = x.shape, how
        output_size, spatial_scale, sampling_ratio, aligned = how
        return torchvision_roi_align(
            x, regions, output_size, spatial_scale, sampling_ratio, aligned
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:  # type: ignore[override]
        (regions,) = ctx.saved_tensors
        images, channels, height, width = ctx.shape
        wide = torch.promote_types(grad.dtype, torch.float32)
        matrix = pooling_matrix(regions.to(wide), (images, height, width), *ctx.how)
        rows = grad.to(wide).flatten(2).transpose(1, 2).reshape(-1, channels)  # (R P Q, C)
        cells = (matrix.t() @ rows).to(grad.dtype).reshape(images, height, width, channels)
        return cells.permute(0, 3, 1, 2).contiguous(), None, None, None, None, None


def pooling_matrix(
    regions: Tensor,
    size: tuple[int, int, int],
    output_size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """What ROIAlign does to one channel, as a sparse matrix.

    Args:
        regions: (R, 5) float32 or float64, as ``roi_align`` takes them.
        size: (B, H, W) of the map.
        (others): as ``roi_align``'s.

    Returns:
        (R P Q, B H W) in the dtype of ``regions``, a sparse COO tensor that is not coalesced: a
        cell may occur several times in a row.
    """
    images, height, width = size
    down, across = output_size
    corners = regions[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    start, extent = corners[:, :2], corners[:, 2:] - corners[:, :2]
    if not aligned:
        extent = extent.clamp(min=1.0)
    y_cells, y_weights, y_count = _axis(start[:, 1], extent[:, 1], down, height, sampling_ratio)
    x_cells, x_weights, x_count = _axis(start[:, 0], extent[:, 0], across, width, sampling_ratio)

    # The entries of row (r, p, q) are all pairs of one of y's entries with one of x's.
    entries = (y_count * x_count).repeat_interleave(down * across)
    row = torch.arange(len(entries), device=entries.device).repeat_interleave(entries)
    number = torch.arange(len(row), device=row.device) - (entries.cumsum(0) - entries)[row]
    region = row // (down * across)
    y_number = number // x_count[region]
    x_number = number - y_number * x_count[region]
    y_at = (row // across) * y_cells.shape[-1] + y_number
    x_at = (region * across + row % across) * x_cells.shape[-1] + x_number

    line = regions[:, 0].long()[region] * height + y_cells.flatten()[y_at]
    cell = line * width + x_cells.flatten()[x_at]
    value = y_weights.flatten()[y_at] * x_weights.flatten()[x_at]
    shape = (len(entries), images * height * width)
    return torch.sparse_coo_tensor(torch.stack([row, cell]), value, shape, check_invariants=False)


def _axis(
    start: Tensor, extent: Tensor, bins: int, size: int, sampling_ratio: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Which cells the bins of each region take along one axis, and with which weights.

    Args:
        start, extent: (R,) in cells.
        bins: P.
        size: number of cells.
        sampling_ratio: as ``roi_align``'s.

    Returns:
        (R, P, 2 K) cells and weights, where K is the most samples that a bin has, and (R,) how many
        of the 2 K are those of the region; what follows them is to be left out. The weights of a
        bin add up to 1 where all of its samples lie on the map, of which one sample has a cell
        below it and one above it.
    """
    step = extent / bins
    samples = torch.full_like(step, sampling_ratio) if sampling_ratio > 0 else step.ceil()
    most = int(samples.max()) if len(samples) else 0
    divisor = samples.clamp(min=1)  # a region without extent has no sample
    bin_number = torch.arange(bins, device=start.device)
    sample_number = torch.arange(most, device=start.device)
    bin_start = start[:, None] + bin_number * step[:, None]  # (R, P)
    at = bin_start[:, :, None] + ((sample_number + 0.5) * (step / divisor)[:, None])[:, None, :]
    share = ((at >= -1.0) & (at <= size)) / divisor[:, None, None]  # else it counts as 0
    at = at.clamp(min=0, max=size - 1)
    low = at.floor()
    above = at - low
    cells = torch.stack([low, (low + 1).clamp(max=size - 1)], dim=-1).long()
    weights = torch.stack([(1 - above) * share, above * share], dim=-1)
    return cells.flatten(2), weights.flatten(2), (2 * samples).long()
