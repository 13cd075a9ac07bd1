"""CreateML: one JSON list of images, boxes by their centre, in pixels or in shares of the image.

The file does not say its units. Where no number of the file exceeds 1, they are shares, as a file
of boxes in pixels without one number above 1 has nothing to show.
"""

import math
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

from d2freq.data.coco.read import parse
from d2freq.data.convert.label_files import find_files
from d2freq.data.convert.recognise import hint
from d2freq.data.convert.tools import shapes
from d2freq.data.convert.tools.records import Found, Record, convert_records, label_of
from d2freq.errors import UserError
from d2freq.utils.choices import choice

UNITS = ("auto", "pixels", "shares")
ANCHORS = ("center", "topLeft", "bottomLeft")
ORIGINS = ("topLeft", "bottomLeft")
SIDES = ("x", "y", "width", "height")
NAME_KEYS = ("image", "imagefilename", "filename")
SHARES = "boxes in shares of their image, as no number of the file exceeds 1"


class Reading(NamedTuple):
    """CreateML's own words for what x and y are: of which point, counted from where, in what."""

    units: str
    anchor: str
    origin: str


def convert_createml(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    images: str | None = None,
    units: str = "auto",
    anchor: str = "center",
    origin: str = "topLeft",
    names: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of CreateML's annotations.

    Args:
        source: the JSON file, or a folder with one.
        images: the folder of the images; without it that of the JSON file.
        units: "pixels" or "shares" of the image's sides; "auto" as above.
        anchor: the point of a box that x and y are.
        origin: the corner of the image from which y counts.
        names: as in ``read_names``; without it the labels found, sorted.

    Raises:
        UserError: another file, or an unknown choice.
        FailedItems: see ``convert_records``.
    """
    choice(units, UNITS, key="--units")
    choice(anchor, ANCHORS, key="--anchor")
    choice(origin, ORIGINS, key="--origin")
    path = _file(Path(source))
    content = parse(path)
    if not isinstance(content, list) or not all(
        isinstance(e, dict) and isinstance(e.get("annotations", e.get("annotation")), list)
        for e in content
    ):
        raise UserError(
            f"{path}: no JSON of CreateML's, a list of images with annotations{hint(path)}"
        )
    records = []
    for number, entry in enumerate(content):
        name = next((str(entry[key]) for key in NAME_KEYS if entry.get(key)), "")
        place = f"{path}, image {number} ({name})"
        records.append(Record(name, place, entry, None, str(path)))
    told = units
    if units == "auto":
        told = "shares" if _all_small(records) else "pixels"
    reading = Reading(told, anchor, origin)
    count = sum(len(_annotations(record.content)) for record in records)
    return convert_records(
        records,
        output,
        partial(read_boxes, reading=reading),
        source=path,
        tool="createml",
        images=images or path.parent,
        names=names,
        options=reading._asdict(),
        notes=Counter({SHARES: count if units == "auto" and told == "shares" else 0}),
        workers=workers,
        progress=progress,
    )


def _file(source: Path) -> Path:
    if not source.is_dir():
        return source
    found = [name for name in find_files(source, (".json",)).values() if "/" not in name]
    if len(found) != 1:
        raise UserError(f"{source}: {len(found)} JSON files; name the one that is meant")
    return source / found[0]


def _annotations(entry: dict) -> list:
    return entry["annotations"] if "annotations" in entry else entry["annotation"]


def _all_small(records: list[Record]) -> bool:
    numbers = [
        float(number)
        for record in records
        for annotation in _annotations(record.content)
        if isinstance(annotation, dict) and isinstance(annotation.get("coordinates"), dict)
        for number in annotation["coordinates"].values()
        if isinstance(number, int | float) or _is_number(number)
    ]
    return bool(numbers) and max(numbers) <= 1


def _is_number(text: object) -> bool:
    """Whether a text is a number, as some tools write them."""
    try:
        return isinstance(text, str) and math.isfinite(float(text))
    except ValueError:
        return False


def read_boxes(record: Record, size: tuple[int, int], *, reading: Reading) -> Found:
    """The objects of one image."""
    boxes = []
    for number, annotation in enumerate(_annotations(record.content), start=1):
        place = f"{record.place}, annotation {number}"
        if not isinstance(annotation, dict) or not isinstance(annotation.get("coordinates"), dict):
            raise UserError(f"{place}: no coordinates of x, y, width, height; correct the record")
        given = [annotation["coordinates"].get(side) for side in SIDES]
        x, y, w, h = shapes.numbers(given, 4, place)
        if reading.units == "shares":
            x, y, w, h = x * size[0], y * size[1], w * size[0], h * size[1]
        if reading.origin == "bottomLeft":
            # what is up in the file is down in the image
            y = size[1] - y
        left = x - w / 2 if reading.anchor == "center" else x
        top = {"center": y - h / 2, "topLeft": y, "bottomLeft": y - h}[reading.anchor]
        category = label_of(annotation.get("label"), place)
        rest = {k: v for k, v in annotation.items() if k not in ("label", "coordinates")}
        about = {"attributes": rest} if rest else {}
        boxes.append(
            {"category": category, **shapes.rectangle(left, top, left + w, top + h), **about}
        )
    return Found(boxes, {}, Counter())
