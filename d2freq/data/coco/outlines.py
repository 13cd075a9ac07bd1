"""Segmentations: what is wrong with one, and the one reading of those in another notation.

COCO's notation is a list of polygons, each a flat list [x0, y0, x1, y1, ...] of three points or
more, or a mask in run lengths, an object with ``size`` and ``counts``.
"""

import math
from typing import Any, Literal

from d2freq.data.coco.faults_of_records import is_number
from d2freq.data.coco.run_lengths import run_length_ill

__all__ = ["Outline", "number", "outline_ill", "plain_outline"]

SHORTEST = 6  # numbers of a polygon: three points
Outline = Literal["", "malformed", "hollow", "partly hollow"]


def outline_ill(segmentation: Any, size: tuple[float, float] | None = None) -> tuple[Outline, str]:
    """The kind of ill of a segmentation, and what it is in words; ("", "") for a sound one.

    Args:
        size: (height, width) of its image, which run lengths have to have; None where unknown.
    """
    if not segmentation:  # none
        return "", ""
    if isinstance(segmentation, dict):
        ill = run_length_ill(segmentation, size)
        return ("malformed", ill) if ill else ("", "")
    if not isinstance(segmentation, list):
        return "malformed", f"{segmentation!r}"[:60]
    good = 0
    for polygon in segmentation:
        if not isinstance(polygon, list):
            return "malformed", "numbers or objects in the place of polygons"
        try:
            finite = math.isfinite(sum(polygon))
        except (TypeError, OverflowError):
            return "malformed", _strange(polygon)
        if not finite:
            return "malformed", "NaN or infinity in a polygon"
        good += len(polygon) >= SHORTEST and len(polygon) % 2 == 0
    if good == len(segmentation):
        return "", ""
    if segmentation and all(len(polygon) == 2 for polygon in segmentation):
        return "malformed", "points as pairs"
    return ("partly hollow", "") if good else ("hollow", "")


def plain_outline(segmentation: Any) -> list[list[float]] | dict | None:
    """A malformed segmentation in COCO's notation; None where it has no reading, or several.

    Points as pairs or as objects with x and y, numbers as text, and one level of lists too few or
    too many have one reading each.
    """
    if isinstance(segmentation, dict):
        return _plain_run_lengths(segmentation)
    if not isinstance(segmentation, list):
        return None
    ring = _ring(segmentation)
    rings = [ring] if ring is not None else [_only_ring(each) for each in segmentation]
    known = [each for each in rings if each is not None]
    return known if known and len(known) == len(rings) else None


def number(value: Any) -> int | float | None:
    """The number that a JSON value means: 3, 3.5, "3" and "3.5"; None for others."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
        value = int(value) if value.is_integer() else value
    return value if is_number(value) else None


def _only_ring(value: Any) -> list[float] | None:
    """The polygon within lists of one; of several, the second may be a hole."""
    ring = _ring(value)
    if ring is None and isinstance(value, list) and len(value) == 1:
        return _only_ring(value[0])
    return ring


def _ring(points: Any) -> list[float] | None:
    """One polygon: of a flat list of numbers, of pairs, or of objects with x and y."""
    if not isinstance(points, list):
        return None
    flat: list[Any] = []
    for point in points:
        if isinstance(point, dict) and {"x", "y"} <= point.keys():
            flat += [point["x"], point["y"]]
        elif isinstance(point, list) and len(point) == 2:
            flat += point
        elif isinstance(point, list | dict):
            return None
        else:
            flat.append(point)
    kinds = {isinstance(point, list | dict) for point in points}
    values = [number(value) for value in flat]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    whole = len(kinds) == 1 and len(finite) == len(values)
    return finite if whole and len(finite) >= SHORTEST and len(finite) % 2 == 0 else None


def _plain_run_lengths(mask: dict) -> dict | None:
    if not {"size", "counts"} <= mask.keys() or not isinstance(mask["size"], list):
        return None
    sides = [number(side) for side in mask["size"]]
    counts = mask["counts"]
    if isinstance(counts, list):
        counts = [number(count) for count in counts]
    plain = {**mask, "size": sides, "counts": counts}
    return None if plain == mask or run_length_ill(plain, None) else plain


def _strange(polygon: list) -> str:
    kinds = {type(value) for value in polygon} - {int, float}
    if kinds == {str}:
        return "numbers as text"
    if kinds == {list}:
        return "points as pairs"
    names = ", ".join(sorted(kind.__name__ for kind in kinds)) or "numbers too large"
    return f"{names} in a polygon"
