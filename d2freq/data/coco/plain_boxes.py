"""Boxes: the one reading of those in another notation, and the box around a segmentation.

COCO's notation is a list [x, y, width, height] in pixels.
"""

import math
import re
from typing import Any

import numpy as np

from d2freq.data.coco.outlines import SHORTEST, number, outline_ill, plain_outline
from d2freq.data.coco.run_lengths import lengths_of_text

__all__ = ["box_around", "plain_box"]

_SIDES = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
_CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
_BETWEEN = re.compile(r"\s*,\s*|\s+")


def plain_box(value: Any) -> list[float] | None:
    """A malformed bbox as [x, y, width, height]; None where it has no reading, or several.

    Numbers as text, the text of a list, a list in a list, and an object whose keys name its sides
    or corners have one reading each. Two pairs may be a size or a corner, and have none.
    """
    if isinstance(value, str):
        value = _BETWEEN.split(value.strip().strip("[]()").strip())
    if isinstance(value, dict):
        return _of_keys(value)
    if not isinstance(value, list):
        return None
    if len(value) == 1 and isinstance(value[0], list):
        return plain_box(value[0])
    values = [number(each) for each in value]
    known = [each for each in values if each is not None]
    return known if len(known) == len(values) == 4 else None


def box_around(segmentation: Any) -> list[float] | None:
    """The least box around polygons (N points) or a mask in run lengths, in pixels.

    None where there is no segmentation, it is malformed without one reading, or has no extent.
    """
    if segmentation and outline_ill(segmentation)[0] == "malformed":
        segmentation = plain_outline(segmentation)
    if not segmentation:
        return None
    box = _of_mask(segmentation) if isinstance(segmentation, dict) else _of_rings(segmentation)
    return box if box and min(box[2:]) > 0 else None


def _of_keys(value: dict) -> list[float] | None:
    plain = {str(key).casefold(): number(side) for key, side in value.items()}
    for keys, corners in [(k, False) for k in _SIDES] + [(k, True) for k in _CORNERS]:
        if set(keys) == plain.keys():
            a, b, c, d = (plain[key] for key in keys)
            if a is None or b is None or c is None or d is None:
                return None
            return [a, b, c - a, d - b] if corners else [a, b, c, d]
    return None


def _of_rings(rings: list) -> list[float] | None:
    whole = [ring for ring in rings if len(ring) >= SHORTEST and len(ring) % 2 == 0]
    if not whole:
        return None
    xs, ys = ([v for ring in whole for v in ring[start::2]] for start in (0, 1))
    left, top = min(xs), min(ys)
    box = [left, top, max(xs) - left, max(ys) - top]
    return box if all(map(math.isfinite, box)) else None


def _of_mask(mask: dict) -> list[float] | None:
    """Runs go down the columns; pixel k of a mask of H rows is column k // H, row k % H."""
    counts = mask["counts"]
    ends = np.cumsum(lengths_of_text(counts) if isinstance(counts, str) else counts)
    first, last = ends[:-1:2], ends[1::2] - 1  # of the runs of 1, which begin where those of 0 end
    first, last = first[: len(last)][last >= first[: len(last)]], last[last >= first[: len(last)]]
    if not len(first):
        return None
    height = int(mask["size"][0])
    left, right = int((first // height).min()), int((last // height).max())
    tall = bool((first // height != last // height).any())  # from a column's foot to the next head
    top = 0 if tall else int((first % height).min())
    bottom = height - 1 if tall else int((last % height).max())
    return [left, top, right - left + 1, bottom - top + 1]
