"""Overlaps of boxes for the count, in float64: IoU, and IoD with crowds.

Boxes are (x, y, width, height) in pixels. The arithmetic goes in the order of the COCO API, whose
last bit decides whether a pair reaches a threshold.
"""

import numpy as np


def pairs_of(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a row n with the numbers ``first[n]`` to ``last[n] - 1``, row by row.

    Args:
        first: (N,) int.
        last: (N,) int, not below ``first``.

    Returns:
        rows and numbers, (P,) int64 each.
    """
    count = last - first
    row = np.repeat(np.arange(len(count)), count)
    start = np.cumsum(count) - count
    return row, np.arange(len(row)) - np.repeat(start - first, count)


def intersection(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Shared area of boxes (..., 4) with boxes (..., 4), (...) square pixels."""
    sides = []
    for axis in (0, 1):
        start = np.maximum(one[..., axis], other[..., axis])
        ends = (box[..., axis] + box[..., axis + 2] for box in (one, other))
        sides.append(np.minimum(*ends) - start)
    return np.where((sides[0] > 0) & (sides[1] > 0), sides[0] * sides[1], 0.0)


def pair_overlaps(detection: np.ndarray, box: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Intersection over union, or over the detection's area where the box is a crowd.

    Args:
        detection: (P, 4).
        box: (P, 4), the ground truth beside each.
        crowd: (P,) bool.

    Returns:
        (P,) in [0, 1]; 0 where there is no intersection.
    """
    shared = intersection(detection, box)
    own = detection[:, 2] * detection[:, 3]
    whole = np.where(crowd, own, own + box[:, 2] * box[:, 3] - shared)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0)
