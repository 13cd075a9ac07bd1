"""What CSO-mAP can reach on the grid, whatever a model does.

Shape shorthand: T frames, K targets, g grid cells a side. Of a cell a third of a pixel wide, a
target lies within 0.05 px of the centre in 7 of 100 cases; so a perfect grid scores about 48, and
no grid more than about 58.
"""

from collections.abc import Sequence

import numpy as np
import torch

from d2freq.data.seqcsist.grid import grid_targets
from d2freq.evaluation.cso.metric import cso_map, grid_detections
from d2freq.ops.psf import grid_to_pixel, pixel_to_grid

__all__ = ["oracles"]

PERFECT, CEILING, EXACT = "perfect grid", "grid ceiling", "exact positions"


def oracles(
    positions: Sequence[np.ndarray],
    intensities: Sequence[np.ndarray],
    *,
    size: int = 11,
    factor: int = 3,
) -> dict[str, dict[str, float]]:
    """CSO-mAP and APs, in [0, 1], of three predictions that know the truth.

    "perfect grid": the ground-truth grid, true intensities as scores. "grid ceiling": the same
    cells, those whose centre is nearest to their target first, which no model can know. "exact
    positions": not on the grid at all.

    Args:
        positions: of each trajectory (T, K, 2), (row, column) in pixels; the frames to measure on.
        intensities: of each trajectory (T, K) in grey levels.
        size, factor: pixels a side and cells per pixel.

    Raises:
        DatasetError: a target lies outside of the frame.
    """
    truth = [frame for trajectory in positions for frame in trajectory]
    bright = [frame for trajectory in intensities for frame in trajectory]
    grids = [
        grid.numpy()
        for own, values in zip(positions, intensities, strict=True)
        for grid in grid_targets(
            torch.from_numpy(own), torch.from_numpy(values), size=size, factor=factor
        )
    ]
    perfect = [grid_detections(grid, threshold=0.0, factor=factor) for grid in grids]
    exact = [np.column_stack(pair) for pair in zip(truth, bright, strict=True)]
    found = {
        PERFECT: perfect,
        CEILING: [_nearest_first(frame, factor) for frame in truth],
        EXACT: exact,
    }
    return {name: cso_map(detections, truth) for name, detections in found.items()}


def _nearest_first(targets: np.ndarray, factor: int) -> np.ndarray:
    """(n, 3): the cells of (K, 2) targets, scored by minus the distance; a cell stands once."""
    places = torch.from_numpy(targets)
    centres = grid_to_pixel(pixel_to_grid(places, factor).double(), factor).numpy()
    distance = np.linalg.norm(centres - targets, axis=1)
    order = np.argsort(distance, kind="stable")
    rows = np.column_stack([centres, -distance])[order]
    return rows[np.sort(np.unique(rows[:, :2], axis=0, return_index=True)[1])]
