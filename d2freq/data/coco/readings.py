"""Boxes that were written by another convention than x, y, width, height in pixels.

N boxes in images of known size. A reading is a guess from many boxes at once: it is said and never
taken by itself.
"""

from collections.abc import Callable

import numpy as np

__all__ = ["READINGS", "fits", "suspect"]

MANY = 0.5  # share of the boxes that must not fit as they are written
NEARLY_ALL = 0.95  # and that must fit by another reading
FEWEST = 2  # boxes that tell a reading from a slip
SLACK = 1.0  # pixels over the border, as ground truth in whole pixels has them


def _corners(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


def _shares(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return boxes * np.hstack([sizes, sizes])


def _corner_shares(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return _corners(_shares(boxes, sizes), sizes)


# (N, 4) as written, (N, 2) width and height of the images -> (N, 4) x, y, width, height
READINGS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "corners": _corners,
    "shares": _shares,
    "corner-shares": _corner_shares,
}
WORDS = {
    "corners": "corners (x1, y1, x2, y2)",
    "shares": "shares of the image's width and height",
    "corner-shares": "corners in shares of the image's width and height",
}


def fits(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(N,) bool: boxes x, y, width, height (N, 4) that have an extent and stay in their image."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    return (
        (boxes[:, 2:] > 0).all(axis=1)
        & (low >= -SLACK).all(axis=1)
        & (high <= sizes + SLACK).all(axis=1)
    )


def suspect(boxes: np.ndarray, sizes: np.ndarray) -> tuple[str, str]:
    """By which reading boxes would fit that do not as they are written, and the evidence.

    Args:
        boxes: (N, 4), finite.
        sizes: (N, 2), width and height of each box's image, finite.

    Returns:
        a key of READINGS and a sentence without its end; ("", "") where they are as they should be.
    """
    if len(boxes) < FEWEST:
        return "", ""
    if boxes.min() >= 0 and boxes.max() <= 1 and sizes.min() > 2:
        corners = (boxes[:, 2:] > boxes[:, :2]).all(axis=1).mean() >= NEARLY_ALL
        key = (
            "corner-shares"
            if corners and not fits(_shares(boxes, sizes), sizes).all()
            else "shares"
        )
        return key, f"all boxes lie within one pixel; read as {WORDS[key]} they fit"
    leaving = 1 - fits(boxes, sizes).mean()
    if leaving >= MANY and fits(_corners(boxes, sizes), sizes).mean() >= NEARLY_ALL:
        share = f"{100 * leaving:.0f} % of the boxes leave their image"
        return "corners", f"{share}; read as {WORDS['corners']} they fit"
    return "", ""
