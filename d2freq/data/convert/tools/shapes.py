"""From the shapes that labelling tools draw to the keys of a COCO annotation.

Coordinates are pixels, edges at whole numbers. Polygons, turned boxes and masks stay as
``segmentation``; circles and ellipses as a key ``ellipse``, beside the box around them.
"""

import math
from collections.abc import Sequence

import numpy as np

from d2freq.errors import UserError

# What COCO's detection files have no place for, by the kind of shape.
LEFT_OUT = {
    "point": "points left out: a box needs an extent",
    "line": "lines left out: a box needs an extent",
    "cuboid": "cuboids left out: COCO has none",
    "skeleton": "skeletons left out",
    "tag": "tags of whole images left out of the boxes, kept as tags of their image",
}
ROUND = "circles and ellipses of which COCO's tools see the box; the key ellipse keeps the shape"
THIN = "polygons of fewer than three points, of which the box is taken"


def rectangle(x0: float, y0: float, x1: float, y1: float) -> dict:
    """An upright box by two opposite corners, whichever come first."""
    left, right = min(x0, x1), max(x0, x1)
    top, bottom = min(y0, y1), max(y0, y1)
    return {"bbox": [left, top, right - left, bottom - top]}


def turned(
    x: float, y: float, w: float, h: float, degrees: float, pivot: tuple[float, float]
) -> dict:
    """The box x, y, w, h turned clockwise about ``pivot``.

    Its corners, the left upper one first, are ``segmentation``; ``bbox`` goes around them.
    """
    if degrees % 360 == 0:
        return rectangle(x, y, x + w, y + h)
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    corners = [
        (pivot[0] + dx * cosine - dy * sine, pivot[1] + dx * sine + dy * cosine)
        for dx, dy in (
            (px - pivot[0], py - pivot[1])
            for px, py in ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
        )
    ]
    return {**polygons([corners]), "rotation": degrees}


def polygons(parts: Sequence[Sequence[Sequence[float]]]) -> dict:
    """Polygons of (x, y) that are one object."""
    points = np.array([point for part in parts for point in part], float)
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    found: dict = {"bbox": [left, top, right - left, bottom - top]}
    whole = [[value for point in part for value in point] for part in parts if len(part) > 2]
    return {**found, "segmentation": whole} if whole else found


def ellipse(cx: float, cy: float, rx: float, ry: float, degrees: float = 0.0) -> dict:
    """An ellipse turned clockwise about its centre, and the least upright box around it."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    across, down = math.hypot(rx * cosine, ry * sine), math.hypot(rx * sine, ry * cosine)
    box = rectangle(cx - across, cy - down, cx + across, cy + down)
    return {**box, "ellipse": [cx, cy, rx, ry, degrees]}


def mask(inside: np.ndarray, left: int, top: int, size: tuple[int, int]) -> dict | None:
    """A mask (h, w) bool whose first pixel is (left, top) of an image of ``size`` (width, height).

    None where no pixel is inside of it and of the image.
    """
    from d2freq.data.convert.masks.objects import objects_of

    whole = np.zeros((size[1], size[0]), np.int64)
    rows = slice(max(0, -top), max(0, min(inside.shape[0], size[1] - top)))
    columns = slice(max(0, -left), max(0, min(inside.shape[1], size[0] - left)))
    part = inside[rows, columns]
    y, x = max(0, top), max(0, left)
    whole[y : y + part.shape[0], x : x + part.shape[1]] = part
    if not whole.any():
        return None
    (found,) = objects_of(whole)
    return {"bbox": list(found.bbox), "segmentation": found.segmentation}


def numbers(values: Sequence, count: int | None, place: str) -> list[float]:
    """``count`` finite numbers (any for None), from numbers or their text.

    Raises:
        UserError: another count, or none; ``place`` begins the message.
    """
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError):
        found = [math.nan]
    if not all(map(math.isfinite, found)) or (count is not None and len(found) != count):
        wish = "numbers" if count is None else f"{count} numbers"
        raise UserError(f"{place}: {values!r} are not {wish}; correct the record")
    return found


def points(values: Sequence, place: str) -> list[tuple[float, float]]:
    """Pairs of finite numbers.

    Raises:
        UserError: something else, or no pair.
    """
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise UserError(f"{place}: {values!r} are no points; correct the record")
    pairs = [numbers(value if isinstance(value, Sequence) else (), 2, place) for value in values]
    return [(x, y) for x, y in pairs]
