"""The file under repair, as those who mend its records see it."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from d2freq.data.coco.faults_of_records import is_box
from d2freq.data.coco.near_names import Near, find_near
from d2freq.utils.pixels import look_at

__all__ = ["Bench", "Drop", "Mender", "whole"]


@dataclass
class Bench:
    """The file under repair for one stage; its records are copies and may be changed.

    ``drop_missing``, ``boxes_as`` and ``uncrowd`` are the arguments of ``repair_coco``.
    """

    data: dict[str, Any]
    image_root: str | None
    drop_missing: bool = False
    boxes_as: str = ""
    uncrowd: bool = False

    @cached_property
    def _free_ids(self) -> Iterator[int]:
        ids = (whole(a.get("id")) for a in self.data["annotations"] if isinstance(a, dict))
        return count(max((i for i in ids if i is not None and 0 < i < 2**62), default=0) + 1)

    def new_id(self) -> int:
        """An annotation id that the file does not have."""
        return next(self._free_ids)

    @cached_property
    def numbers(self) -> dict[tuple[str, str | int], int]:
        """New ids for images and categories whose id is a word or too large: by (section, id)."""
        numbers: dict[tuple[str, str | int], int] = {}
        for section in ("images", "categories"):
            ids = [record.get("id") for record in self.data[section] if isinstance(record, dict)]
            known = [number for value in ids if (number := whole(value)) is not None]
            free = count(max([0, *(n for n in known if n < 2**62)]) + 1)
            for value in ids:
                if isinstance(value, str | int) and whole(value) is None:
                    if (section, value) not in numbers:
                        numbers[section, value] = next(free)
        return numbers

    @cached_property
    def near(self) -> dict[str, Near]:
        """Where images lie that are missing under their names."""
        if self.image_root is None:
            return {}
        records = [record for record in self.data["images"] if isinstance(record, dict)]
        names = [name for r in records if isinstance(name := r.get("file_name"), str)]
        there = {name: os.path.isfile(os.path.join(self.image_root, name)) for name in names}
        missing = [name for name in names if not there[name]]
        return find_near(missing, self.image_root, [name for name in names if there[name]])

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


class Drop(str):
    """The reason why a record is to be left out."""


Mender = Callable[[Bench, str, Any], str | None]
