"""What is done to one faulty record of a COCO file: one function for each kind of fault.

Each takes a ``Bench`` (the file under repair), the section and the record. It changes the record
and returns what it did, or returns ``Drop`` with the reason, or None where only a guess would
repair the record. Those of boxes and segmentations are in ``mend_boxes``.
"""

from typing import Any

from d2freq.data.coco import mend_boxes
from d2freq.data.coco.areas import FAR_LARGER, FAR_SMALLER, LARGER, NO_AREA, TEXT_AREA
from d2freq.data.coco.bench import Bench, Drop, Mender, whole
from d2freq.data.coco.faults_of_boxes import (
    CROWDS_ALONE,
    CUSTOMARY,
    HOLLOW,
    IGNORE_FLAG,
    MALFORMED,
    OTHERWISE,
)
from d2freq.data.coco.faults_of_classes import ROOT, TWIN
from d2freq.data.coco.faults_of_images import NEAR, RESIZED
from d2freq.data.coco.faults_of_records import IDS, NEEDS, REGION_KEYS, is_length, is_solid
from d2freq.data.coco.outlines import number
from d2freq.utils.pixels import LOST

_FLAGS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}  # as text


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
    if section == "annotations" and "image_id" in lacking:
        return Drop(f"lacks {sorted(lacking)}")
    if "bbox" in lacking:
        return mend_boxes.take_outline(bench, section, record)
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


def _rename(bench: Bench, section: str, image: dict) -> str | None:
    near = bench.near.get(image["file_name"])
    if near is None or not near.only:
        return None
    before, image["file_name"] = image["file_name"], near.only
    return f"has file_name {near.only}, was {before}"


def _write_name(bench: Bench, section: str, record: dict) -> str | None:
    """A name that is a whole number is the text of it; others have several readings."""
    key = "file_name" if section == "images" else "name"
    if type(record.get(key)) is not int:
        return None
    record[key] = str(record[key])
    return f"has {key} {record[key]!r}, a text"


def _drop_class(bench: Bench, section: str, category: dict) -> str | None:
    return Drop(f"({category.get('name')}) has no box")


def _read_ids(bench: Bench, section: str, record: dict) -> str | None:
    done = []
    for key in IDS[section]:
        if key in record and (type(record[key]) is not int or whole(record[key]) is None):
            value = whole(record[key])
            if value is None and (section, key) == ("annotations", "id"):
                value = bench.new_id()
            elif value is None and type(record[key]) in (str, int):
                of = {"image_id": "images", "category_id": "categories"}.get(key, section)
                value = bench.numbers.get((of, record[key]))
            if value is not None:
                done.append(f"{key} {record[key]!r} is now {value}")
                record[key] = value
    return ", ".join(done) or None


def _read_flags(bench: Bench, section: str, annotation: dict) -> str | None:
    done = []
    for key in ("iscrowd", "ignore"):
        value = annotation.get(key, 0)
        flag = _FLAGS.get(value.strip().casefold()) if isinstance(value, str) else None
        flag = 0 if value is None else flag  # said nothing, as where the key is missing
        if flag is not None:
            annotation[key] = flag
            done.append(f"{key} {value!r} is now {flag}")
    return ", ".join(done) or None


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


# In the order of work: until types are right, ids cannot be compared; until ids are right, boxes
# have no image; until images have their size, boxes have no border.
STAGES: tuple[dict[str, Mender], ...] = (
    {
        "record that is no object": _drop_annotation,
        "missing key": _complete,
        "id that is no integer": _read_ids,
        "name that is no text": _write_name,
        "flag that is neither 0 nor 1": _read_flags,
        "malformed box": mend_boxes.read_numbers,
        "image without a size": _measure,
        "malformed ignore region": _drop_regions,
    },
    {
        "duplicate image id": _drop_copy,
        "duplicate category id": _drop_copy,
        "duplicate annotation id": _renumber,
        "annotation id 0": _renumber_zero,
    },
    {TWIN: _drop_class, ROOT: _drop_class},
    {NEAR: _rename},
    dict.fromkeys(LOST, _drop_lost),
    {"unknown image_id": _drop_annotation, RESIZED: _resize},
    {OTHERWISE: mend_boxes.read_otherwise},
    {
        "NaN or infinite box": mend_boxes.take_outline,
        "negative width or height": mend_boxes.take_outline,
        "empty box": mend_boxes.take_outline,
        "box outside its image": _drop_annotation,
    },
    {
        "box over the border": mend_boxes.cut,
        NO_AREA: mend_boxes.compute_area,
        TEXT_AREA: mend_boxes.write_area,
        LARGER: mend_boxes.compute_area,
        FAR_LARGER: mend_boxes.compute_area,
        FAR_SMALLER: mend_boxes.compute_area,
        IGNORE_FLAG: mend_boxes.make_crowd,
        MALFORMED: mend_boxes.write_plainly,
        HOLLOW: mend_boxes.clear_outline,
        "no iscrowd": mend_boxes.unflag,
    },
    {CROWDS_ALONE: mend_boxes.uncrowd},
)
# They change boxes for good, so none is touched before it is known how boxes are to be read.
OF_BOXES = STAGES[-3:]
