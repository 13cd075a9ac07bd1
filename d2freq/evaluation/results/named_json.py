"""COCO's result format with file names in the place of ids, as YOLO's predictions.json has them."""

import json
import os
from typing import Any

from d2freq.data.coco.bench import whole
from d2freq.data.coco.read import parse
from d2freq.evaluation.coco.detections_file import EXAMPLE, as_numbers
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.results.columns import Columns
from d2freq.evaluation.results.truth import Truth
from d2freq.utils.text import open_text

__all__ = ["COUNTED_FROM_0", "goes_by_names", "read_named"]

HEAD = 1 << 16  # characters in which the first entry ends
MASKS = "masks left out, as the file goes by names: boxes are measured"
COUNTED_FROM_0 = "category ids count from 0 there, and are taken as places among the classes"


def goes_by_names(path: str | os.PathLike) -> bool:
    """Whether the first entry of a file names its image by a file name.

    False where the file cannot be read as JSON: its reader says why.

    Raises:
        DatasetError: an archive other than gzip.
    """
    try:
        with open_text(path) as file:
            head = file.read(HEAD)
        first, _ = json.JSONDecoder().raw_decode(head, max(0, head.find("{")))
    except (ValueError, EOFError, OSError):
        return False
    if not isinstance(first, dict):
        return False
    return isinstance(first.get("file_name"), str) or isinstance(first.get("image_id"), str)


def read_named(path: str | os.PathLike, truth: Truth) -> Columns:
    """The detections of a file under the ids of ground truth.

    An image is that of ``file_name``, else of a text ``image_id``, with or without an ending; a
    number is the stem of a file (7 of 0007.jpg), or else an id. A class is a ``category_id`` or a
    ``category_name``.

    Raises:
        DetectionError: no such list, or an image or class that ground truth lacks; the message
            names the entry, counted from 0.
    """
    content = parse(path)
    if not isinstance(content, list):
        raise DetectionError(f"{path}: no list of detections; it needs [{EXAMPLE}, ...]")
    found, places = Columns(), [f"{path}: entry {number}" for number in range(len(content))]
    shift, by_ids = _shift(content, truth), _all_ids(content, truth)
    for entry, place in zip(content, places, strict=True):
        if not isinstance(entry, dict):
            raise DetectionError(f"{place} is {type(entry).__name__}, no detection")
        entry = as_numbers(entry)
        box, score = entry.get("bbox"), entry.get("score")
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, (*box, score))):
            raise DetectionError(f"{place} lacks a bbox of four numbers or a score: {entry!r:.120}")
        found.notes[MASKS] += bool(entry.get("segmentation"))
        image, category = _image(entry, place, truth, by_ids), _category(entry, place, truth, shift)
        found.add(image, category, tuple(box), float(entry["score"]), place)
    if shift:
        found.notes[COUNTED_FROM_0] += 1
    return found


def _image(entry: dict, place: str, truth: Truth, by_ids: bool) -> int:
    name, number = entry.get("file_name"), entry.get("image_id")
    if isinstance(name, str) and name:
        return truth.image(name, place).id
    if isinstance(number, str) and number and not truth.knows(number):
        number = number if whole(number) is None else whole(number)
    if isinstance(number, str) and number:
        return truth.image(number, place, suffix="." in number).id
    if type(number) is int and by_ids and number in truth.ids:
        return number
    if type(number) is int and number in truth.by_number:
        return truth.by_number[number]
    if type(number) is int and number in truth.ids:
        return number
    if type(number) is int:
        return truth.image(str(number), place, suffix=False).id
    raise DetectionError(f"{place} has neither file_name nor image_id; a detection is {EXAMPLE}")


def _category(entry: dict, place: str, truth: Truth, shift: bool) -> int:
    name, number = entry.get("category_name"), entry.get("category_id")
    if isinstance(name, str) and name:
        return truth.category(name, place)
    if isinstance(number, str) and number:
        return truth.category(number, place)
    if type(number) is not int:
        raise DetectionError(f"{place} has category_id {number!r}, which is no whole number")
    if shift:
        return list(truth.names)[number]
    if number not in truth.names:
        known = ", ".join(f"{k} {name}" for k, name in truth.names.items())
        raise DetectionError(f"{place} has category_id {number}; {truth.path} has {known}")
    return number


def _all_ids(content: list, truth: Truth) -> bool:
    """Whether each entry's image_id is an id of ground truth, as text or number."""
    used = {whole(e.get("image_id")) if _is_id(e) else None for e in content}
    return used <= truth.ids


def _is_id(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("image_id"), str | int | float)


def _shift(content: list, truth: Truth) -> bool:
    """Whether ids can only be places from 0 on: one of them is 0, and ground truth has no 0."""
    used = {whole(entry.get("category_id")) for entry in content if isinstance(entry, dict)}
    return 0 in used and 0 not in truth.names and used <= set(range(len(truth.names)))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
