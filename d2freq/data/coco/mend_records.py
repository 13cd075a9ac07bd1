"""What is done to one faulty record of a COCO file: one function for each kind of fault.

Each takes a ``Bench`` (the file under repair), the section and the record. It changes the record
and returns what it did, or returns ``Drop`` with the reason, or None where only a guess would
repair the record.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from d2freq.data.coco.faults_of_boxes import CUSTOMARY
from d2freq.data.coco.faults_of_images import RESIZED
from d2freq.data.coco.faults_of_records import (
    IDS,
    NEEDS,
    REGION_KEYS,
    is_box,
    is_length,
    is_number,
    is_solid,
)
from d2freq.utils.pixels import LOST, look_at


@dataclass
class Bench:
    """The file under repair for one stage; its records are copies and may be changed."""

    data: dict[str, Any]
    image_root: str | None
    drop_missing: bool

    @cached_property
    def _free_ids(self) -> Iterator[int]:
        ids = (whole(a.get("id")) for a in self.data["annotations"] if isinstance(a, dict))
        return count(max((i for i in ids if i is not None and 0 < i < 2**62), default=0) + 1)

    def new_id(self) -> int:
        """An annotation id that the file does not have."""
        return next(self._free_ids)

    @cached_property
    def boxes(self) -> dict[Any, list]:
        """The boxes of each image id."""
        boxes = defaultdict(list)
        for annotation in self.data["annotations"]:
            if isinstance(annotation, dict) and is_box(annotation.get("bbox")):
                boxes[whole(annotation.get("image_id"))].append(annotation["bbox"])
        return boxes

    @cached_property
    def firsts(self) -> dict[tuple[str, int], dict]:
        """The first record of each (section, id), of images and categories."""
        records: dict[tuple[str, int], dict] = {}
        for section in ("categories", "images"):
            for record in self.data[section]:
                if isinstance(record, dict) and type(record.get("id")) is int:
                    records.setdefault((section, record["id"]), record)
        return records

    def header_size(self, image: dict) -> tuple[int, int] | None:
        """Width and height of an image file, None where it cannot be read."""
        if self.image_root is None or not isinstance(image.get("file_name"), str):
            return None
        look = look_at(os.path.join(self.image_root, image["file_name"]))
        return None if look.fault else look.size


def whole(value: Any) -> int | None:
    """The whole number that a JSON value means: 3, 3.0 and "3" are 3; None for others."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,19}\s*", value):
        value = int(value)
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def number(value: Any) -> int | float | None:
    """The number that a JSON value means, as ``whole`` but also 3.5 and "3.5"."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
        value = int(value) if value.is_integer() else value
    return value if is_number(value) else None


class Drop(str):
    """The reason why a record is to be left out."""


Mender = Callable[[Bench, str, Any], str | None]


def _renumber(bench: Bench, section: str, record: Any) -> str | None:
    if section != "annotations":
        return None
    record["id"] = bench.new_id()
    return f"is now {record['id']}"


def _renumber_zero(bench: Bench, section: str, record: dict) -> str | None:
    # one of several may have got its number as a duplicate
    return _renumber(bench, section, record) if record["id"] == 0 else None


def _drop_annotation(bench: Bench, section: str, record: Any) -> str | None:
    if section != "annotations":
        return None
    is_object = isinstance(record, dict)
    return Drop((f"has bbox {record.get('bbox')}" if is_object else f"is {record!r}")[:100])


def _drop_copy(bench: Bench, section: str, record: Any) -> str | None:
    """A later record of the same id goes where it says the same as the first."""
    same = bench.firsts[section, record["id"]] == record
    return Drop("says what the first one says") if same else None


def _complete(bench: Bench, section: str, record: dict) -> str | None:
    lacking = NEEDS[section] - record.keys()
    if section == "annotations" and lacking & {"bbox", "image_id"}:
        return Drop(f"lacks {sorted(lacking)}")
    if lacking == {"id"}:
        return _renumber(bench, section, record)
    return _measure(bench, section, record) if lacking <= {"width", "height"} else None


def _measure(bench: Bench, section: str, image: dict) -> str | None:
    sides = [number(image.get(key)) for key in ("width", "height")]
    size = sides if all(map(is_length, sides)) else bench.header_size(image)
    if size is None:
        return None
    image["width"], image["height"] = size
    return f"is {size[0]} x {size[1]}"


def _resize(bench: Bench, section: str, image: dict) -> str | None:
    """Take the size of the header, unless a box shows that it was drawn on another size."""
    size = bench.header_size(image)
    if size is None:
        return None
    declared = image["width"], image["height"]
    for box in bench.boxes[whole(image.get("id"))]:
        # what lies over the declared border is wrong for either size and shows nothing
        ends = [min(box[k] + box[k + 2], declared[k]) for k in (0, 1)]
        if any(ends[k] > size[k] + CUSTOMARY for k in (0, 1)):
            return None
    before = f"{declared[0]} x {declared[1]}"
    image["width"], image["height"] = size
    return f"is {size[0]} x {size[1]}, was {before}"


def _drop_lost(bench: Bench, section: str, image: dict) -> str | None:
    return Drop(f"has file_name {image['file_name']}") if bench.drop_missing else None


def _read_ids(bench: Bench, section: str, record: dict) -> str | None:
    done = []
    for key in IDS[section]:
        if key in record and (type(record[key]) is not int or whole(record[key]) is None):
            value = whole(record[key])
            if value is None and (section, key) == ("annotations", "id"):
                value = bench.new_id()
            if value is not None:
                done.append(f"{key} {record[key]!r} is now {value}")
                record[key] = value
    return ", ".join(done) or None


def _read_flags(bench: Bench, section: str, annotation: dict) -> str | None:
    done = []
    for key in ("iscrowd", "ignore"):
        value = annotation.get(key, 0)
        if isinstance(value, str) and whole(value) in (0, 1):
            annotation[key] = whole(value)
            done.append(f"{key} {value!r} is now {annotation[key]}")
    return ", ".join(done) or None


def _read_box(bench: Bench, section: str, annotation: dict) -> str | None:
    box = annotation["bbox"]
    values = [number(value) for value in box] if isinstance(box, list) and len(box) == 4 else [None]
    if None in values:
        return Drop(f"has bbox {box!r}"[:100])
    annotation["bbox"] = values
    return f"has bbox {values}, was {box}"


def _drop_regions(bench: Bench, section: str, image: dict) -> str | None:
    done = []
    for key in REGION_KEYS:
        regions, name = image.get(key, []), key.replace("_", " ")
        if not isinstance(regions, list):
            del image[key]
            done.append(f"has no {name}, was {regions!r}"[:100])
            continue
        bad = [region for region in regions if not is_solid(region)]
        if bad:
            image[key] = [region for region in regions if is_solid(region)]
            done.append(f"loses {len(bad)} of {len(regions)} {name}: {bad!r}"[:150])
    return ", ".join(done) or None


def _cut(bench: Bench, section: str, annotation: dict) -> str | None:
    image = bench.firsts["images", annotation["image_id"]]
    x, y, width, height = box = annotation["bbox"]
    x, width = _clip(x, width, image["width"])
    y, height = _clip(y, height, image["height"])
    annotation["bbox"] = [x, y, width, height]
    area = width * height
    if is_number(annotation.get("area")):
        annotation["area"] = min(annotation["area"], area)
    return f"has bbox {annotation['bbox']}, was {box}"


def _clip(start: float, length: float, border: float) -> tuple[float, float]:
    if start >= 0 and start + length <= border:  # not a digit changes
        return start, length
    first, last = max(start, 0), min(start + length, border)
    return first, last - first


def _compute_area(bench: Bench, section: str, annotation: dict) -> str | None:
    area = annotation["bbox"][2] * annotation["bbox"][3]
    if annotation.get("area") == area:  # a cut at the border has corrected it
        return None
    before = f", was {annotation['area']}" if "area" in annotation else ""
    annotation["area"] = area
    return f"has area {annotation['area']:g}{before}"


def _make_crowd(bench: Bench, section: str, annotation: dict) -> str | None:
    annotation["iscrowd"], annotation["ignore"] = 1, 0
    return "has iscrowd 1 in place of ignore 1"


def _clear_outline(bench: Bench, section: str, annotation: dict) -> str | None:
    before = annotation["segmentation"]
    annotation["segmentation"] = []
    return f"has segmentation [], was {before!r}"[:100]


def _unflag(bench: Bench, section: str, annotation: dict) -> str | None:
    annotation["iscrowd"] = 0
    return "has iscrowd 0"


# In the order of work: until types are right, ids cannot be compared; until ids are right, boxes
# have no image; until images have their size, boxes have no border.
STAGES: tuple[dict[str, Mender], ...] = (
    {
        "record that is no object": _drop_annotation,
        "missing key": _complete,
        "id that is no integer": _read_ids,
        "flag that is neither 0 nor 1": _read_flags,
        "malformed box": _read_box,
        "image without a size": _measure,
        "malformed ignore region": _drop_regions,
    },
    {
        "duplicate image id": _drop_copy,
        "duplicate category id": _drop_copy,
        "duplicate annotation id": _renumber,
        "annotation id 0": _renumber_zero,
    },
    dict.fromkeys(LOST, _drop_lost),
    {"unknown image_id": _drop_annotation, RESIZED: _resize},
    {
        "NaN or infinite box": _drop_annotation,
        "negative width or height": _drop_annotation,
        "empty box": _drop_annotation,
        "box outside its image": _drop_annotation,
    },
    {
        "box over the border": _cut,
        "no area": _compute_area,
        "area larger than the box": _compute_area,
        "ignore flag": _make_crowd,
        "malformed segmentation": _clear_outline,
        "segmentation without a polygon": _clear_outline,
        "no iscrowd": _unflag,
    },
)
