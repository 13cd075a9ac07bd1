"""What can be wrong in a COCO ground truth, as data, and the search for it.

Two severities. *Errors* make a training or a measurement wrong or impossible: the file is refused.
*Repairs* have one sensible reading, which is taken: the record is counted and a warning says so.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from d2freq.errors import DatasetError

SECTIONS = ("images", "annotations", "categories")
EXAMPLES = 3  # records named in a message; the others are counted


@dataclass(frozen=True)
class Fault:
    """One kind of fault: how often, where, and what to do or what is done about it."""

    kind: str
    count: int
    examples: tuple[str, ...]
    cure: str

    def __str__(self) -> str:
        more = self.count - len(self.examples)
        where = "; ".join(self.examples) + (f"; and {more} more" if more > 0 else "")
        return f"{self.kind} ({self.count}): {where}. {self.cure}"


@dataclass
class Report:
    """What a check found in ``file``."""

    file: str
    images: int = 0
    annotations: int = 0
    categories: int = 0
    errors: list[Fault] = field(default_factory=list)
    repairs: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """No error; there may be repairs."""
        return not self.errors

    def raise_if_faulty(self) -> None:
        """Raise DatasetError with all errors, one a line."""
        if self.errors:
            lines = [f"{self.file}: {len(self.errors)} kind(s) of fault"]
            raise DatasetError("\n".join([*lines, *(f"- {fault}" for fault in self.errors)]))

    def warning(self) -> str:
        """What is repaired, one line a kind; empty where nothing is."""
        if not self.repairs:
            return ""
        return "\n".join([f"{self.file}: repaired", *(f"- {fault}" for fault in self.repairs)])

    def error(self, kind: str, cure: str, examples: list[str], count: int | None = None) -> None:
        """Note an error where there are examples of it."""
        _note(self.errors, kind, cure, examples, count)

    def repair(self, kind: str, cure: str, examples: list[str], count: int | None = None) -> None:
        """Note a repair where there are examples of it."""
        _note(self.repairs, kind, cure, examples, count)


def _note(faults: list[Fault], kind: str, cure: str, examples: list[str], count) -> None:
    if examples:
        count = len(examples) if count is None else count
        faults.append(Fault(kind, count, tuple(examples[:EXAMPLES]), cure))


@dataclass(frozen=True)
class Boxes:
    """The annotations as arrays; ``keep`` is False where a repair leaves the record out."""

    xywh: np.ndarray  # (N, 4) float64
    area: np.ndarray  # (N,) float64, w * h where the file gives none
    ignore: np.ndarray  # (N,) bool, "ignore" flags
    keep: np.ndarray  # (N,) bool


def find_faults(data: object, report: Report, *, allow_ignore: bool = False) -> Boxes | None:
    """Note every fault of a loaded COCO file in ``report``; the boxes as arrays if it has none."""
    if not isinstance(data, dict) or any(not isinstance(data.get(key), list) for key in SECTIONS):
        found = sorted(data) if isinstance(data, dict) else type(data).__name__
        missing = [k for k in SECTIONS if not (isinstance(data, dict) and k in data)]
        what = f"lacks {missing}" if missing else "a section is not a list"
        cure = "A COCO file is one object with the lists images, annotations and categories."
        report.error("missing section", cure, [f"{what}, found {found}"])
        return None
    images, annotations, categories = (data[key] for key in SECTIONS)
    report.images, report.annotations = len(images), len(annotations)
    report.categories = len(categories)
    _find_malformed_records(report, images, annotations, categories)
    if report.errors:
        return None
    for what, records in (("image", images), ("annotation", annotations), ("category", categories)):
        _find_duplicates(report, what, [record["id"] for record in records])
    _find_duplicates(report, "category", [c["name"] for c in categories], key="name")
    if not images:
        report.error("no image", "Give the file at least one image.", ["images is empty"])
    if not categories:
        report.error("no category", "Name the classes.", ["categories is empty"])
    if not annotations:
        report.repair("no annotation", "AP is NaN without ground truth.", ["annotations is empty"])
    for key, known in (("image_id", images), ("category_id", categories)):
        ids = {record["id"] for record in known}
        cure = f"Add the {key[:-3]} or remove the annotation; known: {_short(sorted(ids))}."
        strangers = [_name(a) + f" has {key} {a[key]}" for a in annotations if a[key] not in ids]
        report.error(f"unknown {key}", cure, strangers)
    boxes = _find_box_faults(report, annotations, {image["id"]: image for image in images})
    if boxes is not None and boxes.ignore.any():
        examples = [_name(annotations[i]) for i in np.flatnonzero(boxes.ignore)]
        if allow_ignore:
            cure = "Counted as a crowd region: detections on it are neither right nor wrong."
            report.repair("ignore flag", cure, examples)
        else:
            cure = "Detectron2 refuses it: write iscrowd: 1 in place of ignore: 1."
            report.error("ignore flag", cure, examples)
    return boxes if report.ok else None


def _name(annotation: dict) -> str:
    return f"annotation {annotation.get('id')} of image {annotation.get('image_id')}"


def _short(values: list) -> str:
    text = ", ".join(map(str, values[:12]))
    return text + (f", ... {len(values)} in all" if len(values) > 12 else "")


def _find_malformed_records(report: Report, images, annotations, categories) -> None:
    needs = {
        "image": (images, {"id", "file_name", "width", "height"}),
        "annotation": (annotations, {"id", "image_id", "category_id", "bbox"}),
        "category": (categories, {"id", "name"}),
    }
    for what, (records, keys) in needs.items():
        bad = []
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                bad.append(f"{what} no. {index} is {type(record).__name__}")
            elif not keys <= record.keys():
                bad.append(f"{what} no. {index} lacks {sorted(keys - record.keys())}")
        report.error("missing key", f"Each {what} needs {sorted(keys)}.", bad)
        bad = [
            f"{what} no. {index} has {key} {record[key]!r}"
            for index, record in enumerate(records)
            if isinstance(record, dict)
            for key in sorted(keys & {"id", "image_id", "category_id"} & record.keys())
            if type(record[key]) is not int
        ]
        report.error("id that is no integer", "Write ids as whole numbers.", bad)
        bad = [
            f"{what} no. {index} has {key} {record[key]!r}"
            for index, record in enumerate(records)
            if isinstance(record, dict)
            for key in sorted(keys & {"name", "file_name"} & record.keys())
            if not isinstance(record[key], str)
        ]
        report.error("name that is no text", "Write names in quotation marks.", bad)
    flags = [
        f"{_name(a)} has {key} {a[key]!r}"
        for a in annotations
        if isinstance(a, dict)
        for key in ("iscrowd", "ignore")
        if key in a and not (isinstance(a[key], int | float) and a[key] in (0, 1))
    ]
    report.error("flag that is neither 0 nor 1", "Write iscrowd and ignore as 0 or 1.", flags)
    sizes = [
        f"image {i['id']} is {i['width']!r} x {i['height']!r}"
        for i in images
        if isinstance(i, dict) and {"id", "width", "height"} <= i.keys()
        if not all(_is_number(i[k]) and 0 < i[k] < np.inf for k in ("width", "height"))
    ]
    report.error("image without a size", "Width and height are pixels above 0.", sizes)


def _find_duplicates(report: Report, what: str, values: list, key: str = "id") -> None:
    if len(set(values)) < len(values):
        again = [f"{key} {value!r} x {n}" for value, n in Counter(values).items() if n > 1]
        report.error(f"duplicate {what} {key}", f"Number each {what} once.", again)
    if what == "annotation" and 0 in values:
        cure = "Renumbered: COCO's matching takes 0 for 'no match'."
        report.repair("annotation id 0", cure, ["annotation 0"])


def _find_box_faults(report: Report, annotations: list, images: dict) -> Boxes | None:
    # record by record: as one array numpy would read text and true as numbers
    bad = [f"{_name(a)} has bbox {a['bbox']!r}" for a in annotations if not _is_box(a["bbox"])]
    report.error("malformed box", "A bbox is four numbers, x, y, width, height.", bad)
    if bad:
        return None
    xywh = np.array([a["bbox"] for a in annotations], np.float64).reshape(-1, 4)

    def examples(mask: np.ndarray) -> list[str]:
        hits = np.flatnonzero(mask)
        return [f"{_name(annotations[i])} has bbox {annotations[i]['bbox']}" for i in hits]

    finite = np.asarray(np.isfinite(xywh).all(axis=1))
    report.error("NaN or infinite box", "Correct or remove it.", examples(~finite))
    x, y, w, h = (xywh[:, k] for k in range(4))
    negative: np.ndarray = (w < 0) | (h < 0)
    zero: np.ndarray = (w == 0) | (h == 0)
    report.repair("negative width or height", "Left out.", examples(finite & negative))
    report.repair("empty box", "Left out: nothing overlaps it.", examples(zero & ~negative))
    unknown = {"width": np.inf, "height": np.inf}
    sizes = [images.get(a["image_id"], unknown) for a in annotations]
    width = np.array([size["width"] for size in sizes], np.float64)
    height = np.array([size["height"] for size in sizes], np.float64)
    solid = finite & ~negative & ~zero
    away = solid & ((x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0))
    report.repair("box outside its image", "Left out.", examples(away))
    over = np.maximum.reduce([-x, -y, x + w - width, y + h - height])
    cure = "Cut at the border in training; measured as it is."
    report.repair("box over the border", cure, examples(solid & ~away & (over > 0.01)))
    area = np.array([_number(a.get("area")) for a in annotations], np.float64)
    unmeasured = solid & ~(area > 0)
    nameless = [_name(annotations[i]) for i in np.flatnonzero(unmeasured)]
    report.repair("no area", "Taken as width x height.", nameless)
    area = np.where(unmeasured, w * h, area)
    ignore = np.array([bool(a.get("ignore", 0)) for a in annotations], bool)
    return Boxes(xywh, area, ignore, solid & ~away)


def _is_box(value: object) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 4:
        return False
    return all(map(_is_number, value))


def _number(value: Any) -> float:
    return float(value) if _is_number(value) else float("nan")


def _is_number(value: Any) -> bool:
    """Whether it is a JSON number that a float can hold; true and false are none."""
    return type(value) is float or (type(value) is int and abs(value) < 2**1000)
