"""Which cells of a feature map lie near a point or inside a box, without a matrix of all pairs.

Shape shorthand: N objects, H x W cells of a level, k nearest cells, P pairs.

The centres of a map's cells are a grid, so both questions are asked of columns and rows apart. A
crowd of 3,000 objects on the 53,294 cells of an image of 800 pixels costs a few megabytes, where a
matrix of pairs has 640 MB for each number kept.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Grid", "cells_inside", "nearest_cells", "window"]


class Grid(NamedTuple):
    """A level: the centre of the cell in row i and column j is (stride x j, stride x i)."""

    stride: int
    height: int
    width: int

    @property
    def cells(self) -> int:
        """H x W."""
        return self.height * self.width


def nearest_cells(points: Tensor, grid: Grid, k: int) -> Tensor:
    """The k cells whose centres are nearest to each point; among equals those that come first.

    Args:
        points: (N, 2) x and y in pixels, inside the map or not.
        k: at least 1; a map of fewer cells gives all it has.

    Returns:
        (N, min(k, H x W)) int64 indices of cells row by row, nearest first.
    """
    columns, rows = window(points, grid, k)
    across = (columns * grid.stride - points[:, :1]).square()
    down = (rows * grid.stride - points[:, 1:]).square()
    squared = (down[:, :, None] + across[:, None]).flatten(1)
    cells = (rows[:, :, None] * grid.width + columns[:, None]).flatten(1)
    order = squared.sort(dim=1, stable=True).indices[:, :k]  # a window's cells come in order
    return cells.gather(1, order)


def window(points: Tensor, grid: Grid, k: int) -> tuple[Tensor, Tensor]:
    """The k columns and the k rows nearest to each point, in order.

    The k nearest cells are among the k x k where they cross: a cell in another column has k nearer
    ones in its row. That holds for distances that weigh the axes differently, too.

    Returns:
        Columns (N, min(k, W)) and rows (N, min(k, H)), int64.
    """
    found = []
    for axis, length in ((0, grid.width), (1, grid.height)):
        count = min(k, length)
        first = (points[:, axis] / grid.stride - count / 2).ceil().clamp(0, length - count)
        found.append(first.long()[:, None] + torch.arange(count, device=points.device))
    return found[0], found[1]


def cells_inside(boxes: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Every pair of a box and a cell whose centre lies strictly inside it.

    Args:
        boxes: (N, 4) XYXY in pixels.

    Returns:
        Cells (P,), indices row by row, and boxes (P,), indices; both int64, box after box.
    """
    firsts, counts = [], []
    for axis, length in ((0, grid.width), (1, grid.height)):
        centres = torch.arange(length, device=boxes.device, dtype=boxes.dtype) * grid.stride
        before = (centres <= boxes[:, axis, None]).sum(dim=1)
        firsts.append(before)
        counts.append(((centres < boxes[:, axis + 2, None]).sum(dim=1) - before).clamp(min=0))
    (column, row), (wide, high) = firsts, counts
    pairs = wide * high
    box = torch.repeat_interleave(pairs)
    place = torch.arange(len(box), device=boxes.device) - (pairs.cumsum(0) - pairs)[box]
    down = torch.div(place, wide[box], rounding_mode="floor")
    cell = (row[box] + down) * grid.width + column[box] + place - down * wide[box]
    return cell, box
