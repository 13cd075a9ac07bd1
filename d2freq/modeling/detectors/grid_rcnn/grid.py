"""The grid of points: which cells of a region's maps it marks, and the box that it means.

Source: Grid R-CNN Plus (Lu et al. 2019), whose maps show half of a region's surroundings.

Shape shorthand: N regions, P = G x G points, S x S cells of a point's map, 2 S x 2 S cells of the
whole map, which covers a region enlarged to twice its sides about its centre. Points are numbered
column by column: point p is in column p // G and row p % G.
"""

from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor

from d2freq.errors import UserError

__all__ = ["PointGrid", "decode_grid", "grid_targets"]

SMALLEST_ENLARGED = 3.0  # pixels; regions whose enlarged sides are not longer have no target


@dataclass(frozen=True)
class PointGrid:
    """P points and their maps of S x S cells.

    Args:
        points: P, a square number of at least 4.
        cells: S.

    Raises:
        UserError: another number of points.
    """

    points: int = 9
    cells: int = 28

    def __post_init__(self) -> None:
        if self.points < 4 or isqrt(self.points) ** 2 != self.points:
            raise UserError(
                f"MODEL.ROI_GRID_HEAD.NUM_POINTS: got {self.points!r}; give a square number of at "
                "least 4, such as 9"
            )

    @property
    def side(self) -> int:
        """G."""
        return isqrt(self.points)

    @property
    def neighbours(self) -> list[tuple[int, int]]:
        """(point, neighbour) of each two that lie side by side, in both directions."""
        side = self.side
        return [
            (point, other)
            for point in range(self.points)
            for other in range(self.points)
            if abs(point // side - other // side) + abs(point % side - other % side) == 1
        ]

    def starts(self, like: Tensor) -> Tensor:
        """(P, 2) x and y of the cell of the whole map at which a point's own map begins.

        A point needs no more than the half of the whole map that it can lie in.
        """
        last = self.side - 1
        first = [max(int((place / last - 0.25) * 2 * self.cells), 0) for place in range(last)]
        first.append(self.cells)
        pairs = [(first[p // self.side], first[p % self.side]) for p in range(self.points)]
        return torch.tensor(pairs, dtype=like.dtype, device=like.device)

    def places(self, boxes: Tensor) -> Tensor:
        """(N, P, 2) x and y in pixels of the points of boxes (N, 4) XYXY."""
        share = torch.linspace(0, 1, self.side, dtype=boxes.dtype, device=boxes.device)
        columns = share.repeat_interleave(self.side)
        rows = share.repeat(self.side)
        towards = torch.stack([columns, rows], dim=1)
        return boxes[:, None, :2] * (1 - towards) + boxes[:, None, 2:] * towards


def grid_targets(regions: Tensor, truth: Tensor, grid: PointGrid, *, radius: int = 1) -> Tensor:
    """What the maps of regions should show: a small cross at each point of the object.

    Args:
        regions: (N, 4) XYXY in pixels.
        truth: (N, 4), the object of each.
        grid: of the points.
        radius: cells at most this far from the point's are 1.

    Returns:
        (N, P, S, S) float32 of 0 and 1; all 0 for regions of at most 1.5 pixels, and where a point
        lies outside of its map.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.grid_rcnn import PointGrid, grid_targets
        >>> region, truth = torch.tensor([[10.0, 10, 30, 30]]), torch.tensor([[12.0, 9, 33, 28]])
        >>> grid_targets(region, truth, PointGrid()).sum(dim=(2, 3)).tolist()
        [[5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]]
    """
    sides = 2 * (regions[:, 2:] - regions[:, :2])
    begin = regions[:, :2] - sides / 4
    large = (sides > SMALLEST_ENLARGED).all(dim=1)
    sides = torch.where(large[:, None], sides, torch.ones_like(sides))
    # towards zero: a point less than a cell outside of the whole map counts as in its first cell
    cells = ((grid.places(truth) - begin[:, None]) / sides[:, None] * 2 * grid.cells).trunc()
    own = cells - grid.starts(regions)
    steps = torch.arange(grid.cells, dtype=regions.dtype, device=regions.device)
    across, down = ((steps - own[..., axis, None]).square() for axis in (0, 1))  # (N, P, S)
    near = across[:, :, None, :] + down[:, :, :, None] <= radius**2
    return (near & large[:, None, None, None]).float()


def decode_grid(logits: Tensor, regions: Tensor, grid: PointGrid) -> Tensor:
    """The box that the maps of a region mean.

    Each point is where its map is highest. An edge is the mean of its points' coordinates, weighed
    by their probabilities.

    Args:
        logits: (N, P, S, S).
        regions: (N, 4) XYXY in pixels.
        grid: of the points.

    Returns:
        (N, 4) XYXY in pixels, float32; it may leave the image.
    """
    flat = logits.float().flatten(2)
    weights, place = flat.max(dim=2)
    # where a head has gone astray all may be 0 in float32: then every point counts alike
    weights = weights.sigmoid().clamp(min=torch.finfo(torch.float32).tiny)
    row = torch.div(place, grid.cells, rounding_mode="floor")
    cell = torch.stack([place - row * grid.cells, row], dim=2).to(regions.dtype)
    sides = regions[:, 2:] - regions[:, :2]
    begin = regions[:, :2] - sides / 2
    found = (cell + grid.starts(regions) + 0.5) / grid.cells * sides[:, None] + begin[:, None]
    # (N, G columns, G rows)
    x, y, weights = (
        each.unflatten(1, (grid.side, grid.side))
        for each in (found[..., 0], found[..., 1], weights)
    )
    edges = [
        _mean(x[:, 0], weights[:, 0]),
        _mean(y[:, :, 0], weights[:, :, 0]),
        _mean(x[:, -1], weights[:, -1]),
        _mean(y[:, :, -1], weights[:, :, -1]),
    ]
    return torch.stack(edges, dim=1)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum(dim=1) / weights.sum(dim=1)
