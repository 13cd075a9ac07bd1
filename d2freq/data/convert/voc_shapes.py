"""The shape of an object in a VOC file: its bndbox, or what tools write in place of one.

roLabelImg writes ``robndbox``, an oriented box of cx, cy, w, h and angle; others write ``polygon``,
with x1, y1, x2, y2, ... or points of x and y.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

from d2freq.data.convert.label_files import read_number
from d2freq.errors import UserError

__all__ = ["SIDES", "box_of"]

SIDES = ("xmin", "ymin", "xmax", "ymax")
SWAPPED = "boxes with xmin above xmax or ymin above ymax, whose corners are exchanged"
ROUND = "oriented boxes (robndbox) and polygons, of which the box around them is taken"
BESIDE = "polygons and oriented boxes beside a bndbox, left out"
_POLYGONS = ("polygon", "segmentation", "points")
_COORDINATE = re.compile(r"([xy])(\d+)")


def box_of(
    thing: ElementTree.Element, place: str, notes: Counter[str], *, one_based: bool, hull: bool
) -> list[float]:
    """x, y, width and height in pixels of an ``object``.

    Args:
        place: the file and the object, for messages.
        notes: counts what was read otherwise than it is written.
        one_based, hull: see ``convert_voc``.

    Raises:
        UserError: it has no box, or one whose numbers are none.
    """
    other = next((tag for tag in ("robndbox", *_POLYGONS) if thing.find(tag) is not None), "")
    if thing.find("bndbox") is None:
        return _around(thing, place, other, notes, hull=hull)
    notes[BESIDE] += bool(other)
    left, top, right, bottom = (
        read_number(thing.findtext(f"bndbox/{side}"), f"{place}, {side}") for side in SIDES
    )
    # a box of less than a pixel has an xmax below its xmin, too, by less than VOC's one
    swapped = left - one_based > right, top - one_based > bottom
    notes[SWAPPED] += any(swapped)
    left, right = (right, left) if swapped[0] else (left, right)
    top, bottom = (bottom, top) if swapped[1] else (top, bottom)
    left, top = left - one_based, top - one_based
    return [left, top, right - left, bottom - top]


def _around(
    thing: ElementTree.Element, place: str, tag: str, notes: Counter[str], *, hull: bool
) -> list[float]:
    if not tag:
        found = ", ".join(child.tag for child in thing) or "nothing"
        raise UserError(f"{place}: no bndbox, but {found}; give it a bndbox, or remove the object")
    what = "an oriented box (robndbox)" if tag == "robndbox" else f"a {tag}"
    if not hull:
        raise UserError(
            f"{place}: has {what} and no bndbox; --hull takes the upright box around it, or write "
            "a bndbox"
        )
    element = thing.find(tag)
    assert element is not None
    points = list(_corners(element, place) if tag == "robndbox" else _points(element, place))
    if len(points) < 3:
        raise UserError(f"{place}: {what} of {len(points)} points; give it a bndbox")
    notes[ROUND] += 1
    xs, ys = zip(*points, strict=True)
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def _corners(element: ElementTree.Element, place: str) -> Iterator[tuple[float, float]]:
    cx, cy, w, h, angle = (
        read_number(element.findtext(key), f"{place}, {key}")
        for key in ("cx", "cy", "w", "h", "angle")
    )
    cos, sin = math.cos(angle), math.sin(angle)  # in radians, clockwise on the screen
    for dx, dy in ((-w, -h), (w, -h), (w, h), (-w, h)):
        yield cx + (dx * cos - dy * sin) / 2, cy + (dx * sin + dy * cos) / 2


def _points(element: ElementTree.Element, place: str) -> Iterator[tuple[float, float]]:
    """Of points with an x and a y each, or of x1, y1, x2, y2, ..."""
    for point in element.iter():
        if point.find("x") is not None and point.find("y") is not None:
            x, y = (read_number(point.findtext(key), f"{place}, {key}") for key in "xy")
            yield x, y
    numbered: dict[int, dict[str, float]] = {}
    for child in element:
        if match := _COORDINATE.fullmatch(child.tag):
            value = read_number(child.text, f"{place}, {child.tag}")
            numbered.setdefault(int(match[2]), {})[match[1]] = value
    for _, pair in sorted(numbered.items()):
        if len(pair) < 2:
            raise UserError(f"{place}: a point of the polygon lacks x or y; correct it")
        yield pair["x"], pair["y"]
