"""The file under repair, as the menders of d2freq.data.mending see it."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from d2freq.data.image_faults import look_at
from d2freq.data.record_faults import is_box, is_number


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
