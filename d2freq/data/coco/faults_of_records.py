"""Faults of single records of a COCO file, seen without the others: types, keys, flags.

``record_ills`` is the one definition of a sound record. It looks at Python types rather than at
arrays: as one array numpy would read text and true as numbers.
"""

from typing import Any

from d2freq.data.coco.report import Report

NEEDS = {
    "images": {"id", "file_name", "width", "height"},
    "annotations": {"id", "image_id", "category_id", "bbox"},
    "categories": {"id", "name"},
}
SINGULAR = {"images": "image", "annotations": "annotation", "categories": "category"}
IDS = {
    "images": ("id",),
    "annotations": ("id", "image_id", "category_id"),
    "categories": ("id",),
}
# Boxes of an image in which a protocol may judge nothing: regions, and objects of no class.
REGION_KEYS = ("ignore_regions", "other_objects")
# Where an annotation was read, "<path>, line <number>": converters say it for messages alone.
LABEL_LINE = "label_line"
_CURES = {
    "record that is no object": "A record is an object, {{...}}.",
    "missing key": "Each {what} needs {needs}.",
    "id that is no integer": (
        "Write ids as whole numbers under 2^63; --fix numbers images and classes whose ids are "
        "words or too large anew."
    ),
    "name that is no text": "Write names in quotation marks.",
    "flag that is neither 0 nor 1": "Write iscrowd and ignore as 0 or 1.",
    "malformed box": (
        "A bbox is four numbers, x, y, width, height. --fix writes what has one reading so, takes "
        "the box around a segmentation for others, and drops the rest."
    ),
    "image without a size": "Width and height are pixels above 0.",
    "malformed ignore region": "{regions} are lists of [x, y, width, height] above 0.",
}
Ill = tuple[str, str]  # kind, what is wrong


def find_record_faults(report: Report, section: str, records: list) -> list[int]:
    """Note the ills of each record as errors; the positions of the records without one."""
    sound: list[int] = []
    found: dict[str, dict[int, str]] = {}
    for position, record in enumerate(records):
        ills = record_ills(section, record)
        if not ills:
            sound.append(position)
        for kind, text in ills:
            before = found.setdefault(kind, {}).get(position)
            found[kind][position] = f"{before}, {text}" if before else text
    for kind, texts in found.items():
        cure = _CURES[kind].format(
            what=SINGULAR[section], needs=sorted(NEEDS[section]), regions=" and ".join(REGION_KEYS)
        )
        if kind == "missing key" and section == "annotations":
            cure += " --fix takes the box around a segmentation for one that is missing."
        named = {i: f"{record_name(section, records, i)} {text}" for i, text in texts.items()}
        report.records(report.errors, kind, cure, section, list(named), named.__getitem__)
    return sound


def record_name(section: str, records: list, position: int) -> str:
    """How a message names a record: by its id, else by its position, and by its line in a label."""
    record = records[position]
    ids = [record.get(key) for key in ("id", "image_id")] if isinstance(record, dict) else [None]
    if type(ids[0]) is not int:
        return f"{SINGULAR[section]} no. {position}"
    name = f"{SINGULAR[section]} {ids[0]}"
    if section != "annotations":
        return name
    place = record.get(LABEL_LINE)
    return f"{name} of image {ids[1]}" + (f" ({place})" if isinstance(place, str) else "")


def record_ills(section: str, record: Any) -> list[Ill]:
    """What is wrong with a record by itself; empty for a sound one."""
    if type(record) is not dict:
        return [("record that is no object", f"is {type(record).__name__}")]
    ills: list[Ill] = []
    if not NEEDS[section] <= record.keys():
        ills.append(("missing key", f"lacks {sorted(NEEDS[section] - record.keys())}"))
    for key in IDS[section]:
        value = record.get(key, 0)
        if type(value) is not int or not -(2**63) <= value < 2**63:
            ills.append(("id that is no integer", f"has {key} {value!r}"))
    if section == "annotations":
        if "bbox" in record and not is_box(record["bbox"]):
            ills.append(("malformed box", f"has bbox {record['bbox']!r}"[:120]))
        for key in ("iscrowd", "ignore"):
            flag = record.get(key, 0)
            if not (isinstance(flag, int | float) and flag in (0, 1)):
                ills.append(("flag that is neither 0 nor 1", f"has {key} {flag!r}"))
        return ills
    key = "file_name" if section == "images" else "name"
    if not isinstance(record.get(key, ""), str):
        ills.append(("name that is no text", f"has {key} {record[key]!r}"))
    if section == "images":
        width, height = record.get("width", 1), record.get("height", 1)
        if not (is_length(width) and is_length(height)):
            ills.append(("image without a size", f"is {width!r} x {height!r}"))
        for key in REGION_KEYS:
            regions = record.get(key, [])
            listed = isinstance(regions, list)
            bad = [region for region in regions if not is_solid(region)] if listed else regions
            if bad or not listed:
                ills.append(("malformed ignore region", f"has {key} {bad!r}"[:200]))
    return ills


def count_regions(images: list[dict]) -> int:
    """The boxes under REGION_KEYS of all images."""
    return sum(len(image.get(key, ())) for image in images for key in REGION_KEYS)


def is_number(value: Any) -> bool:
    """Whether it is a JSON number that a float can hold; true and false are none."""
    return type(value) is float or (type(value) is int and abs(value) < 2**1000)


def is_length(value: Any) -> bool:
    """Whether it is a number above 0 and below infinity."""
    return is_number(value) and 0 < value < float("inf")


def is_box(value: Any) -> bool:
    """Whether it is a list of four numbers, which may be NaN."""
    return isinstance(value, list | tuple) and len(value) == 4 and all(map(is_number, value))


def is_solid(region: Any) -> bool:
    """Whether it is a box of finite numbers with some extent."""
    if not is_box(region) or not all(abs(value) < float("inf") for value in region):
        return False
    return region[2] > 0 and region[3] > 0
