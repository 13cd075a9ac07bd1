"""Overlaps of boxes for the count, in float64: IoU, and IoD with crowds.

Boxes are (x, y, width, height) in pixels. The arithmetic goes in the order of the COCO API, whose
last bit decides whether a pair reaches a threshold.
"""

import numpy as np


def neighbours(
    image_id: np.ndarray, xywh: np.ndarray, box_image_id: np.ndarray, box_xywh: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which boxes may overlap each of N rows: those that reach its columns of the same image.

    Args:
        image_id: (N,) int64.
        xywh: (N, 4) float64, finite.
        box_image_id: (G,) rising.
        box_xywh: (G, 4), by rising x within an image.

    Returns:
        first and last, (N,) int64 each: the boxes ``first`` to ``last - 1``.
    """
    first, last = (np.searchsorted(box_image_id, image_id, side) for side in ("left", "right"))
    if not len(box_xywh) or not len(xywh):
        return first, last
    # images side by side in one long row, so that one search finds the columns of all
    images, place = np.unique(np.append(image_id, box_image_id), return_inverse=True)
    own, others = place[: len(xywh)], place[len(xywh) :]
    left = min(b[:, 0].min() for b in (xywh, box_xywh))
    width = max((b[:, 0] + b[:, 2]).max() for b in (xywh, box_xywh)) - left
    widest = np.zeros(len(images))
    np.maximum.at(widest, others, box_xywh[:, 2])
    row = others * width + (box_xywh[:, 0] - left)
    x = xywh[:, 0] - left
    reach = np.searchsorted(row, own * width + (x - widest[own]), "left")
    beyond = np.searchsorted(row, own * width + (x + xywh[:, 2]), "right")
    first = np.maximum(first, reach)
    return first, np.maximum(np.minimum(last, beyond), first)


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
        detection: (..., 4).
        box: (..., 4), the ground truth beside each.
        crowd: (...) bool.

    Returns:
        (...) in [0, 1]; 0 where there is no intersection.
    """
    shared = intersection(detection, box)
    own = detection[..., 2] * detection[..., 3]
    whole = np.where(crowd, own, own + box[..., 2] * box[..., 3] - shared)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0)
