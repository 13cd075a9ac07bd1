"""Ground truth on the grid: a cell of its own for each target, as far as there is one.

Shape shorthand: T frames, K targets, m pixels and g = factor * m grid cells a side.
"""

from torch import Tensor

from d2freq.errors import DatasetError
from d2freq.ops.psf import pixel_to_grid

__all__ = ["cells", "count_collided", "grid_targets"]


def cells(positions: Tensor, *, size: int = 11, factor: int = 3) -> Tensor:
    """Number of the cell of each target on the flattened grid.

    Args:
        positions: (..., 2) floating, (row, column) in pixels.

    Returns:
        (...) int64, row * g + column.

    Raises:
        DatasetError: a target lies outside the grid, which would wrap around to another cell.
    """
    places = pixel_to_grid(positions, factor)
    outside = ((places < 0) | (places >= factor * size)).any(-1)
    if outside.any():
        row, column = positions[outside][0].tolist()
        raise DatasetError(
            f"a target at ({row:.3f}, {column:.3f}) lies outside a frame of {size} x {size} "
            f"pixels, which reaches from -0.5 to {size - 0.5:g}; remove it, or correct its place"
        )
    return places[..., 0] * (factor * size) + places[..., 1]


def grid_targets(
    positions: Tensor, intensities: Tensor, *, size: int = 11, factor: int = 3
) -> Tensor:
    """Intensities written into their cells in the order of the targets, as SeqCSIST does.

    Written, not added: of two targets in one cell the later one stays (see
    :func:`count_collided`).

    Args:
        positions: (T, K, 2) floating, (row, column) in pixels.
        intensities: (T, K) in grey levels.

    Returns:
        (T, g, g) in the dtype of ``intensities``, 0 where there is no target.

    Raises:
        DatasetError: as :func:`cells`.

    Examples:
        >>> import torch
        >>> from d2freq.data.seqcsist.grid import grid_targets
        >>> grid = grid_targets(torch.tensor([[[5.0, 5.0]]]), torch.tensor([[230.0]]))
        >>> tuple(grid.shape), grid.nonzero().tolist()
        ((1, 33, 33), [[0, 16, 16]])
    """
    places = cells(positions, size=size, factor=factor)
    side = factor * size
    grid = intensities.new_zeros(len(positions), side * side)
    for target in range(positions.shape[1]):  # one scatter of all would leave the order open
        grid.scatter_(1, places[:, target, None], intensities[:, target, None])
    return grid.view(-1, side, side)


def count_collided(positions: Tensor, *, size: int = 11, factor: int = 3) -> int:
    """How many of (T, K, 2) targets lose their cell to a later one; over all frames.

    Raises:
        DatasetError: as :func:`cells`.
    """
    places = cells(positions, size=size, factor=factor).sort(1).values
    return int((places[:, 1:] == places[:, :-1]).sum())
