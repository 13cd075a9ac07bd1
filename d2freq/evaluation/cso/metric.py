"""CSO-mAP, the metric of SeqCSIST (DeRefNet, Sec. 5.1 and supplement 2), on arrays.

F frames, N detections and G targets in all of them. Positions are (row, column) in pixels of the
frame, distances Euclidean.

A detection is only ever compared with the nearest target of its frame, taken or not: within the
threshold it is a hit where the target is free, everything else is a false alarm. So a frame needs
no walk through its detections: of all that fall to one target within the threshold, the first in
descending score is the hit. Precision is made monotone from the right and summed over all recall
steps (VOC 2010), not at COCO's 101 points.

Equal scores stay in the order they come in, frame after frame. The published count sorts by numpy's
default, which keeps no order: its example has .236667, as here, where numpy sorts without SIMD, and
.246349 with numpy 2.4.6 on a processor with AVX2. No value for it is published.
"""

from collections.abc import Sequence

import numpy as np

from d2freq.errors import UserError
from d2freq.evaluation.coco.guard import DetectionError

__all__ = ["THRESHOLD", "THRESHOLDS", "ap_keys", "average_precision", "cso_map", "grid_detections"]

THRESHOLDS = (0.05, 0.10, 0.15, 0.20, 0.25)  # pixels; DeRefNet, Table 7
THRESHOLD = 70.0  # grey levels, of 220 to 250 that a target has; SeqCSIST as published


def grid_detections(
    grid: np.ndarray, *, threshold: float = THRESHOLD, factor: int = 3
) -> np.ndarray:
    """Every cell that reaches the threshold is a detection at its centre; no peaks are sought.

    Args:
        grid: (g, g) grey levels, ``factor`` cells a pixel.
        threshold: cells below it are empty; cells of value 0 always are.

    Returns:
        (n, 3) float64: row, column, value, row by row.

    Raises:
        DetectionError: a cell is NaN or infinite.

    Examples:
        >>> import numpy as np
        >>> from d2freq.evaluation.cso.metric import grid_detections
        >>> grid = np.zeros((33, 33))
        >>> grid[16, 17] = 230
        >>> grid_detections(grid).round(2).tolist()
        [[5.0, 5.33, 230.0]]
    """
    values = np.asarray(grid, np.float64)
    if not np.isfinite(values).all():
        raise DetectionError("the grid has NaN or infinite cells: the model diverged")
    rows, columns = np.nonzero((values >= threshold) & (values != 0))
    centre = (factor - 1) // 2
    places = (np.stack([rows, columns], axis=1) - centre) / factor
    return np.concatenate([places, values[rows, columns, None]], axis=1)


def cso_map(
    detections: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
) -> dict[str, float]:
    """AP at each distance and their mean, over a whole data set.

    Args:
        detections: of each frame (n, 3): row, column, score.
        truth: of each frame (K, 2): row, column, not rounded to a grid.
        thresholds: largest distances of a hit, in pixels.

    Returns:
        ``{"CSO-mAP": ..., "AP05": ..., ...}`` in [0, 1]; 0 where nothing was detected, NaN where
        there is no target.

    Raises:
        UserError: no threshold, other numbers of frames, or arrays of another shape.
        DetectionError: a detection is NaN or infinite.

    Examples:
        >>> import numpy as np
        >>> from d2freq.evaluation.cso.metric import cso_map
        >>> detections = [np.array([[5.0, 5.12, 230.0]])]  # 0.12 pixels away from the target
        >>> cso_map(detections, [np.array([[5.0, 5.0]])])
        {'CSO-mAP': 0.6, 'AP05': 0.0, 'AP10': 0.0, 'AP15': 1.0, 'AP20': 1.0, 'AP25': 1.0}
    """
    if len(detections) != len(truth):
        raise UserError(f"{len(detections)} frames of detections for {len(truth)} of ground truth")
    frame, found = _flat(detections, 3, "detections (n, 3): row, column, score")
    target_frame, targets = _flat(truth, 2, "ground truth (K, 2): row, column")
    if not np.isfinite(found).all():
        wrong = frame[~np.isfinite(found).all(axis=1)][0]
        raise DetectionError(f"frame {wrong} of the detections has NaN or infinite numbers")
    nearest, distance = _nearest(frame, found[:, :2], target_frame, targets, len(truth))
    order = np.argsort(-found[:, 2], kind="stable")
    nearest, distance = nearest[order], distance[order]
    values = {}
    for key, threshold in ap_keys(thresholds).items():
        near = np.flatnonzero(distance <= threshold)
        hit = np.zeros(len(order), bool)
        hit[near[np.unique(nearest[near], return_index=True)[1]]] = True
        values[key] = average_precision(hit, len(targets))
    return {"CSO-mAP": float(np.mean(list(values.values())))} | values


def ap_keys(thresholds: Sequence[float]) -> dict[str, float]:
    """``AP05`` -> 0.05 and so on.

    Raises:
        UserError: there is none, or two round to one hundredth of a pixel.
    """
    keys = {f"AP{round(100 * threshold):02d}": threshold for threshold in thresholds}
    if not keys or len(keys) != len(thresholds):
        raise UserError(f"thresholds {tuple(thresholds)}: give some that differ by 0.01 pixels")
    return keys


def average_precision(hit: np.ndarray, targets: int) -> float:
    """Area under the monotone precision over recall; (N,) bool in descending score."""
    if not targets:
        return float("nan")
    places = np.flatnonzero(hit)  # precision peaks, and recall rises, at hits alone
    precision = np.arange(1, len(places) + 1) / (places + 1)
    return float(np.maximum.accumulate(precision[::-1]).sum() / targets)


def _flat(frames: Sequence[np.ndarray], width: int, what: str) -> tuple[np.ndarray, np.ndarray]:
    """The frame of each row (N,) int64, and all rows (N, width) float64."""
    rows = [np.asarray(rows, np.float64) for rows in frames]
    for place, own in enumerate(rows):
        if own.size and (own.ndim != 2 or own.shape[1] != width):
            raise UserError(f"frame {place} has shape {own.shape}, expected {what}")
    frame = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    return frame, np.concatenate([np.zeros((0, width)), *(own.reshape(-1, width) for own in rows)])


def _nearest(
    frame: np.ndarray, places: np.ndarray, target_frame: np.ndarray, targets: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each detection the nearest target (N,), the first of equals, and its distance (N,)."""
    numbers = np.bincount(target_frame, minlength=count)
    first = np.cumsum(numbers) - numbers
    nearest = np.zeros(len(frame), np.int64)
    distance = np.full(len(frame), np.inf)
    for step in range(int(numbers.max(initial=0))):
        own = np.flatnonzero(numbers[frame] > step)
        target = first[frame[own]] + step
        offset = places[own] - targets[target]
        length = np.sqrt((offset * offset).sum(axis=1))
        closer = length < distance[own]
        nearest[own[closer]], distance[own[closer]] = target[closer], length[closer]
    return nearest, distance
