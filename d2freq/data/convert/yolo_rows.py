"""A row of a YOLO label file: a box, a box with keypoints, or a polygon.

Rows say nothing of what they are, so some have two readings: six values are a box with confidence
and track, or a triangle; ten are a pentagon, or a box with keypoints. ``data.yaml`` says whether
there are keypoints (``kpt_shape``). What it leaves open is refused, with both readings.
"""

from collections import Counter
from dataclasses import dataclass

from d2freq.data.convert.label_files import read_number
from d2freq.errors import UserError

CONFIDENCE = "confidences (a sixth number) left out"
TRACK = "track numbers left out: a COCO box has none"
KINDS = ("auto", "boxes", "polygons")
LARGEST = 2.0  # a share beyond it is a pixel
SLACK = 1e-6  # that rounding takes a corner on the border beyond it
VISIBLE = (0, 1, 2)  # of a keypoint: not labelled, hidden, seen


@dataclass(frozen=True)
class RowForm:
    """How the rows of a data set are read.

    Attributes:
        kind: one of KINDS; "boxes" and "polygons" are the user's word.
        keypoints: ``kpt_shape`` of data.yaml, (points, 2 or 3 numbers each); () where it has none.
        told: whether there is a data.yaml, so that rows without its ``kpt_shape`` are no poses.
    """

    kind: str = "auto"
    keypoints: tuple[int, ...] = ()
    told: bool = False


@dataclass(frozen=True)
class Row:
    """One object in shares of the image: left, top, width, height; corners; x, y, v of points."""

    number: int
    box: tuple[float, float, float, float]
    polygon: tuple[float, ...] = ()
    keypoints: tuple[float, ...] = ()


def read_rows(lines: list[tuple[str, str]], form: RowForm, notes: Counter[str]) -> list[Row]:
    """The objects of one label file.

    Args:
        lines: (place, text) of each.
        notes: counts what is left out.

    Raises:
        UserError: a row of another form, or of two readings; the message names file and line.
    """
    numbers = [_numbers(text, place) for place, text in lines]
    poses = form.kind == "auto" and not form.told and _are_poses(numbers)
    rows = []
    for (place, text), (number, *values) in zip(lines, numbers, strict=True):
        if poses:
            raise _ambiguous(
                place,
                text,
                "a polygon",
                "class cx cy w h and keypoints",
                "say --rows polygons, or write kpt_shape: [points, 2 or 3] into data.yaml",
            )
        if number != int(number):
            raise UserError(
                f"{place}: class {number} is no whole number; a row begins with "
                "its class, so look whether the columns stand in order"
            )
        if form.keypoints:
            row = _pose(int(number), values, form.keypoints, place, notes)
        elif form.kind == "polygons" or (form.kind == "auto" and len(values) > 5):
            row = _polygon(int(number), values, form, place, text, notes)
        else:
            row = _box(int(number), values, place, notes)
        shares = (*row.box, *row.polygon, *row.keypoints[0::3], *row.keypoints[1::3])
        if max(map(abs, shares)) > LARGEST:
            raise UserError(
                f"{place}: {text!r} are no shares of width and height (from 0 to 1); divide pixels "
                "by the size of the image"
            )
        rows.append(row)
    return rows


def _numbers(text: str, place: str) -> list[float]:
    first, *rest = text.split()
    if first[:1].isalpha() and first.casefold() not in ("nan", "inf", "infinity"):
        raise UserError(
            f"{place}: the class {first!r} is no number; write its place among the names of "
            "data.yaml, from 0 on"
        )
    return [read_number(word, place) for word in (first, *rest)]


def _box(number: int, values: list[float], place: str, notes: Counter[str]) -> Row:
    if not 4 <= len(values) <= 6:
        raise UserError(
            f"{place}: {len(values) + 1} numbers, expected class cx cy w h, perhaps with a "
            "confidence and a track, or class and the corners of a polygon"
        )
    if len(values) == 6 or (len(values) == 5 and values[4] > 1):
        notes[TRACK] += 1
        values.pop()
    notes[CONFIDENCE] += len(values) == 5
    return Row(number, _corner_box(values[:4]))


def _polygon(
    number: int, values: list[float], form: RowForm, place: str, text: str, notes: Counter[str]
) -> Row:
    if form.kind == "polygons" and len(values) == 4:
        return Row(number, _corner_box(values))  # tools write boxes among polygons, too
    beyond = max(values) > 1 + SLACK
    if len(values) == 6 and form.kind == "auto" and isinstance(values[5], int):
        # a track is a whole number; a corner on the very border is one, too
        if beyond and max(values[:5]) <= 1 + SLACK:
            return _box(number, values, place, notes)
        if not beyond:
            raise _ambiguous(
                place,
                text,
                "a triangle",
                "class cx cy w h confidence track",
                "say --rows boxes or --rows polygons to d2freq convert yolo",
            )
    if len(values) < 6 or len(values) % 2:
        pose = " (keypoints need kpt_shape in data.yaml)" if len(values) > 6 else ""
        raise UserError(
            f"{place}: {len(values) + 1} numbers, expected class cx cy w h, perhaps with a "
            f"confidence, or class and the corners of a polygon{pose}"
        )
    if beyond and max(map(abs, values)) <= LARGEST:
        raise UserError(
            f"{place}: {text!r} is no polygon, whose corners are shares from 0 to 1; where these "
            "are boxes with keypoints, write kpt_shape: [points, 2 or 3] into data.yaml; where "
            "they have confidence and track, say --rows boxes"
        )
    xs, ys = values[0::2], values[1::2]
    box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    return Row(number, box, polygon=tuple(values))


def _pose(
    number: int, values: list[float], shape: tuple[int, ...], place: str, notes: Counter[str]
) -> Row:
    points, each = shape
    wish, found = 4 + points * each, len(values)
    if found not in (4, wish, wish + 1, wish + 2):
        raise UserError(
            f"{place}: {found + 1} numbers, but kpt_shape {list(shape)} in data.yaml makes it "
            f"{wish + 1}: class cx cy w h and {points} keypoints of {each} numbers; correct "
            "kpt_shape, or leave it out where there are no keypoints"
        )
    notes[TRACK] += found == wish + 2
    notes[CONFIDENCE] += found > wish
    keypoints: list[float] = []
    for start in range(4, wish if found > 4 else 4, each):
        x, y, *seen = values[start : start + each]
        # without a third number a point at the origin is one that is not labelled
        visible = seen[0] if seen else (2 if x or y else 0)
        if visible not in VISIBLE:
            visible = 2 if visible > 0 else 0  # predictions have a confidence here
        keypoints += [x, y, visible]
    return Row(number, _corner_box(values[:4]), keypoints=tuple(keypoints))


def _corner_box(values: list[float]) -> tuple[float, float, float, float]:
    cx, cy, w, h = values
    return cx - w / 2, cy - h / 2, w, h


def _are_poses(rows: list[list[float]]) -> bool:
    """Whether all rows of a file are as long and could be a box with its keypoints inside."""
    lengths = {len(row) - 1 for row in rows}
    if len(lengths) != 1 or min(lengths) < 10:
        return False
    return any(all(_is_pose(row[1:], each) for row in rows) for each in (2, 3))


def _is_pose(values: list[float], each: int) -> bool:
    if (len(values) - 4) % each:
        return False
    x, y, w, h = _corner_box(values[:4])
    for start in range(4, len(values), each):
        px, py, *seen = values[start : start + each]
        inside = x - SLACK <= px <= x + w + SLACK and y - SLACK <= py <= y + h + SLACK
        if (seen and seen[0] not in VISIBLE) or not (inside or (px == 0 and py == 0)):
            return False
    return True


def _ambiguous(place: str, text: str, one: str, other: str, cure: str) -> UserError:
    return UserError(f"{place}: {text!r} has two readings, {one} and {other}; {cure}")
