"""Detections that a neighbouring tile has seen better, so that an object on a seam counts once.

Shape legend: N detections, T tiles. Boxes and tiles are corners (x0, y0, x1, y1) in pixels of the
picture that the tiles were cut from.

The sides of a tile that lie within the picture are its inner sides. Of a detection, the margin is
the distance from its box to the nearest of them, the depth is that of its centre. A detection goes
where another tile gives it a larger margin and

* its own tile cuts it off, or may: its margin is at most TOUCH pixels, and the other's larger by
  more than that; or
* it lies outside of its tile's core: its depth in the other tile is more than thrice its depth
  here. Where two tiles overlap by o, cores end o / 4 before the border: they overlap by the half
  of o, so that a box that jitters a little is lost to both tiles nowhere.

So an object that is smaller than the overlap by 2 x TOUCH pixels leaves no part beside the whole:
the tile that cuts it does so with margin 0. What is left twice lies in both cores, is seen whole by
both, and is for the merge by overlap. An object larger than the overlap may be cut by both tiles,
and stays in two parts.
"""

import numpy as np

__all__ = ["TOUCH", "seen_better"]

TOUCH = 2.0  # pixels of the tile: a detector's box of a cut object ends near the border, not on it
CORE = 3.0


def seen_better(
    boxes: np.ndarray,
    tile: np.ndarray,
    tiles: np.ndarray,
    size: tuple[float, float],
    *,
    touch: float = TOUCH,
) -> np.ndarray:
    """Which detections a neighbouring tile has seen better: (N,) bool.

    Args:
        boxes: (N, 4).
        tile: (N,) int, the row in ``tiles`` of the one that each was found on.
        tiles: (T, 4), those that were searched.
        size: (width, height) of the picture.
        touch: in pixels of the picture.

    Examples:
        >>> import numpy as np
        >>> from d2freq.evaluation.coco.seams import seen_better
        >>> tiles = np.array([[0, 0, 100, 100], [70, 0, 170, 100]])
        >>> boxes = np.array([[88, 40, 100, 50], [88, 40, 108, 50], [20, 20, 30, 30]])
        >>> seen_better(boxes, np.array([0, 1, 0]), tiles, (170, 100)).tolist()
        [True, False, False]
    """
    boxes, tiles = np.asarray(boxes, np.float64), np.asarray(tiles, np.float64)
    gone = np.zeros(len(boxes), bool)
    if not len(boxes):
        return gone
    order = np.argsort(tile, kind="stable")
    names, starts = np.unique(np.asarray(tile)[order], return_index=True)
    for name, rows in zip(names.tolist(), np.split(order, starts[1:]), strict=True):
        own = tiles[name]
        meets = (tiles[:, :2] < own[2:]).all(1) & (tiles[:, 2:] > own[:2]).all(1)
        meets[name] = False
        others = tiles[meets]
        if not len(others):
            continue
        centres = np.tile((boxes[rows, :2] + boxes[rows, 2:]) / 2, 2)
        here, there = _margins(boxes[rows], own[None], size), _margins(boxes[rows], others, size)
        depth, depths = _margins(centres, own[None], size), _margins(centres, others, size)
        cut = (here <= touch) & (there > here + touch)
        outside = (there > here) & (depths > CORE * depth)
        gone[rows] = (cut | outside).any(1)
    return gone


def _margins(boxes: np.ndarray, tiles: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """(n, t): distance to the nearest inner side, negative beyond it, infinite without one."""
    low = boxes[:, None, :2] - tiles[None, :, :2]
    high = tiles[None, :, 2:] - boxes[:, None, 2:]
    low[:, tiles[:, :2] <= 0.5] = np.inf
    high[:, tiles[:, 2:] >= np.asarray(size) - 0.5] = np.inf
    return np.minimum(low, high).min(2)
