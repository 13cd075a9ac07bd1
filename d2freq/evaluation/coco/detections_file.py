"""Detections in COCO's result format, read and written in pieces: millions of them fit in memory.

A file is one list of ``{"image_id": 7, "category_id": 1, "bbox": [x, y, width, height], "score":
0.9}``, in pixels. Masks are ``segmentation``, in COCO's run lengths. In reading other keys are let
by.
"""

import itertools
import json
import logging
import os
import re
import zlib
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

import numpy as np
from tqdm import tqdm

from d2freq.data.coco.bench import whole
from d2freq.data.coco.outlines import number as number_of
from d2freq.errors import DatasetError
from d2freq.evaluation.coco.guard import DetectionError, Detections
from d2freq.evaluation.coco.masks import as_array, as_json, from_json
from d2freq.utils.files import replacing
from d2freq.utils.text import not_unicode, open_text

logger = logging.getLogger(__name__)

PIECE = 1 << 22  # characters decoded at a time: a dictionary a detection takes 800 bytes
PIECES = 8  # that one entry may fill; what has no end in so many is no list of detections
ROWS = 10_000  # detections encoded at a time
LARGE = 1 << 26  # bytes from which on reading takes seconds and shows a progress bar
KEYS = ("image_id", "category_id", "bbox", "score")
EXAMPLE = '{"image_id": 7, "category_id": 1, "bbox": [x, y, width, height], "score": 0.9}'
BETWEEN = re.compile(r"\s*,\s*(?=[^\s\]])")


def read_detections(path: str | os.PathLike, *, masks: bool = False) -> Detections:
    """The detections of a file, in its order; NaN and infinity are read as such.

    Args:
        masks: read the masks, too, if each detection has one.

    Raises:
        DetectionError: the file is missing, cut off or no list of detections; the message names
            the entry, counted from 0, and the key.
    """
    columns: list[tuple[np.ndarray, ...]] = []
    shapes: list[dict | None] = []
    entries = outlines = 0
    try:
        size = os.path.getsize(path)
        bar = tqdm(total=size, desc="reading", unit="B", unit_scale=True, disable=size < LARGE)
        with open_text(path) as file, bar:
            for rows in _pieces(file, path):
                columns.append(_arrays(rows, entries, path))
                if masks:
                    outlines += sum(bool(_outline_of(row)) for row in rows)
                    shapes += [_mask(row, n, path) for n, row in enumerate(rows, entries)]
                entries += len(rows)
                bar.update(min(PIECE, size - bar.n))
    except FileNotFoundError as error:
        raise DetectionError(f"{path}: no such file; an evaluation writes it") from error
    except OSError as error:
        raise DetectionError(f"{path}: {error.strerror}; name the file of detections") from error
    except RecursionError as error:
        raise DetectionError(f"{path}: lists in lists without end; it needs [{EXAMPLE}]") from error
    except UnicodeDecodeError as error:
        raise DetectionError(str(not_unicode(path, error))) from error
    except DatasetError as error:
        raise DetectionError(str(error)) from error
    except (EOFError, zlib.error) as error:
        raise DetectionError(f"{path}: gzip that breaks off ({error}); fetch it again") from error
    if outlines:
        logger.warning("%s: %d polygons left out, where masks are run lengths", path, outlines)
    image_id, category_id, xywh, score = (
        np.concatenate(column) for column in zip(*columns, strict=True)
    )
    known = [shape for shape in shapes if shape is not None]
    whole = masks and len(known) == entries
    found = as_array(known) if whole else None
    return Detections(image_id, category_id, xywh, score, masks=found)


def write_detections(path: str | os.PathLike, detections: Detections) -> None:
    """Write a file that ``read_detections`` gives back bit by bit.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot hold.
    """
    columns = (detections.image_id, detections.category_id, detections.xywh, detections.score)
    with replacing(path) as draft, open(draft, "w", encoding="utf-8") as file:
        file.write("[")
        for start in range(0, len(detections), ROWS):
            block = (column[start : start + ROWS].tolist() for column in columns)
            rows = [dict(zip(KEYS, row, strict=True)) for row in zip(*block, strict=True)]
            if detections.masks is not None:
                shapes = map(as_json, detections.masks[start : start + ROWS])
                rows = [{**r, "segmentation": m} for r, m in zip(rows, shapes, strict=True)]
            file.write((", " if start else "") + json.dumps(rows, allow_nan=False)[1:-1])
        file.write("]")


def _pieces(file: TextIO, path) -> Iterator[list]:
    """The list's entries, a part at a time, at least one part.

    A piece is cut where one object ends and the next begins, and decoded as a list of its own: if
    that succeeds the whole would have been read likewise. Where the cut was inside an entry, the
    piece is decoded entry by entry.
    """
    text = file.read(PIECE).lstrip()
    if not text.startswith("["):
        what = "empty" if not text else "no list"
        what = "an object, no list: write the list of detections alone" if text[:1] == "{" else what
        raise DetectionError(f"{path}: {what}; it needs [{EXAMPLE}, ...], as evaluations write it")
    text, entries = text[1:], 0
    while more := file.read(PIECE):
        text += more
        rows, text = _decode_start(text)
        if not rows and len(text) > PIECES * PIECE:
            _refuse(text, entries, path)
        entries += len(rows)
        yield rows
    try:
        yield json.loads(f"[{text}")
    except json.JSONDecodeError:
        _refuse(text, entries, path)


def _decode_start(text: str) -> tuple[list, str]:
    """The entries that end before the last comma between two objects, and the rest."""
    end = len(text)
    while (end := text.rfind("}", 0, end)) >= 0:
        comma = BETWEEN.match(text, end + 1)
        if comma and text[comma.end()] == "{":
            try:
                return json.loads(f"[{text[: end + 1]}]"), text[comma.end() :]
            except json.JSONDecodeError:
                break
    return _decode_each(text)[:2]


def _decode_each(text: str) -> tuple[list, str, str]:
    """The entries that are whole and followed by another, the rest, and why it went no further."""
    decode, place = json.JSONDecoder().raw_decode, 0
    rows: list = []
    while True:
        try:
            row, end = decode(text, place)
        except json.JSONDecodeError as error:
            return rows, text[place:], f"{error.msg} at its character {error.pos - place}"
        comma = BETWEEN.match(text, end)
        if not comma:
            return rows, text[place:], f"no ',' or ']' at its character {end - place}"
        rows.append(row)
        place = comma.end()


def _refuse(text: str, entries: int, path) -> NoReturn:
    """Name the entry that is no JSON, in a text that begins with entry number ``entries``."""
    rows, rest, reason = _decode_each(text)
    # an unclosed string is reported where it begins, and a detection is short
    what = "cut off" if len(rest) < 400 and not rest.rstrip().endswith("]") else "broken"
    raise DetectionError(
        f"{path}: JSON is {what} in entry {entries + len(rows)}: {reason}; write the file again"
    )


def _arrays(rows: list, start: int, path) -> tuple[np.ndarray, ...]:
    """The columns of Detections; entry ``start`` of the file comes first."""
    found = _quick_arrays(rows)
    if found is None:  # numbers as text, or a culprit, which all other pieces are not searched for
        found = _quick_arrays([as_numbers(row) for row in rows])
    if found is not None:
        return found
    number, fault = next(
        (n, fault) for n, row in enumerate(rows, start) if (fault := _fault(as_numbers(row)))
    )
    raise DetectionError(f"{path}: entry {number} {fault}; a detection is {EXAMPLE}")


def _quick_arrays(rows: list) -> tuple[np.ndarray, ...] | None:
    """Likewise, None where a value is of another kind than the format has."""
    try:
        columns = [[row[key] for row in rows] for key in KEYS]
        images, kinds, boxes, scores = columns
        sides = list(itertools.chain.from_iterable(boxes))
        whole = set(map(type, images)) | set(map(type, kinds)) <= {int}
        numbers = set(map(type, sides)) | set(map(type, scores)) <= {int, float}
        if whole and numbers and set(map(type, boxes)) <= {list} and set(map(len, boxes)) <= {4}:
            return (
                np.array(images, np.int64),
                np.array(kinds, np.int64),
                np.array(sides, np.float64).reshape(-1, 4),
                np.array(scores, np.float64),
            )
    except (TypeError, KeyError, OverflowError):
        pass
    return None


def as_numbers(row: Any) -> Any:
    """An entry whose numbers are text, and whose ids are 1.0, as data frames write them.

    A text under ``image_id`` may be the name of a file, and stays.
    """
    if not isinstance(row, dict):
        return row
    plain = dict(row)
    for key in ("image_id", "category_id"):
        value = row.get(key)
        number = None if key == "image_id" and isinstance(value, str) else whole(value)
        plain.update({} if number is None else {key: number})
    for key in ("bbox", "score"):
        values = row.get(key)
        read = [number_of(v) for v in values] if isinstance(values, list) else number_of(values)
        if read is not None and not (isinstance(read, list) and None in read):
            plain[key] = read
    return plain


def _outline_of(row: dict) -> list:
    """The polygons of an entry, [] where it has none."""
    outline = row.get("segmentation")
    return outline if isinstance(outline, list) else []


def _mask(row: dict, number: int, path) -> dict | None:
    """The run lengths of an entry, None where it has none."""
    try:
        return from_json(row["segmentation"]) if "segmentation" in row else None
    except ValueError as error:
        raise DetectionError(
            f"{path}: entry {number} has a segmentation that is {error}"
        ) from error


def _fault(row: object) -> str:
    """What is wrong with an entry, or ""."""
    if not isinstance(row, dict):
        return f"is {type(row).__name__}, no detection"
    if missing := [key for key in KEYS if key not in row]:
        return f"lacks {', '.join(missing)}"
    for key in ("image_id", "category_id"):
        if type(row[key]) is not int or abs(row[key]) >= 2**63:
            return f"has {key} {row[key]!r}, which is no whole number of 64 bits"
    box = row["bbox"]
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        return f"has bbox {box!r}, which is not four numbers"
    return "" if _is_number(row["score"]) else f"has score {row['score']!r}, which is no number"


def _is_number(value: object) -> bool:
    """Whether a float can hold it; true and false are none."""
    return type(value) is float or (type(value) is int and abs(value) < 2**1000)
