"""Outlines of a mask along the borders of its pixels: polygons that cover it to the last pixel.

Corners are (x, y) in pixels, where pixel (0, 0) covers [0, 1) x [0, 1).
"""

import numpy as np

STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # x, y: right, down, left, up
RIGHT, STRAIGHT, LEFT = 1, 0, 3  # what a turn adds to a direction


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Polygons that touch at most and whose union is the mask.

    Args:
        mask: (H, W) bool.

    Returns:
        corners (P, 2) int64 of each polygon, clockwise as one looks at the picture. A mask around
        a hole is cut in two through it, since COCO's polygons have none.
    """
    rings = _rings(mask)
    holes = [ring for ring in rings if _signed_area(ring) < 0]
    if not holes:
        return rings
    cut = int(holes[0][:, 0].min())
    beyond = [ring + np.array([cut, 0]) for ring in outlines(mask[:, cut:])]
    return outlines(mask[:, :cut]) + beyond


def _rings(mask: np.ndarray) -> list[np.ndarray]:
    """The borders with the mask on their right; those of holes run the other way round."""
    padded = np.pad(np.asarray(mask, bool), 1)
    inside = padded[1:-1, 1:-1]
    outside = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
    edges: dict[tuple[int, int, int], None] = {}  # begin and direction, in a fixed order
    begins = ((0, 0), (1, 0), (1, 1), (0, 1))  # of a pixel's upper, right, lower and left side
    for direction, (beyond, (dx, dy)) in enumerate(zip(outside, begins, strict=True)):
        rows, columns = np.nonzero(inside & ~beyond)
        starts = zip((columns + dx).tolist(), (rows + dy).tolist(), strict=True)
        edges |= dict.fromkeys((x, y, direction) for x, y in starts)
    rings = []
    while edges:
        rings.append(np.array(_follow(edges), np.int64))
    return rings


def _follow(edges: dict[tuple[int, int, int], None]) -> list[tuple[int, int]]:
    """Take one closed ring out of ``edges``; its corners."""
    first = x, y, direction = next(iter(edges))
    corners = []
    while True:
        dx, dy = STEPS[direction]
        x, y = x + dx, y + dy
        # right first: pixels that touch at a corner alone belong to two rings
        turns = ((direction + turn) % 4 for turn in (RIGHT, STRAIGHT, LEFT))
        new = next(turn for turn in turns if (x, y, turn) in edges)
        del edges[x, y, new]
        if new != direction:
            corners.append((x, y))
        if (x, y, new) == first:
            return corners
        direction = new


def _signed_area(ring: np.ndarray) -> float:
    """Above 0 for a ring that runs clockwise."""
    x, y = ring.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
