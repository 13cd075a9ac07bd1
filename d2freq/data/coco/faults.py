"""The search for what can be wrong in a loaded COCO ground truth, images aside.

The one definition of a sound file: training and evaluation ask it before they begin, ``d2freq
validate`` prints it, and ``d2freq.data.coco.repair`` mends the records that it names.
"""

from collections import Counter

from d2freq.data.coco.faults_of_boxes import Boxes, find_box_faults
from d2freq.data.coco.faults_of_classes import find_unused
from d2freq.data.coco.faults_of_records import SINGULAR, find_record_faults, record_name
from d2freq.data.coco.report import Fault, Report
from d2freq.data.convert.recognise import hint_of

__all__ = ["SECTIONS", "Boxes", "Fault", "Report", "find_faults"]

SECTIONS = ("images", "annotations", "categories")


def find_faults(data: object, report: Report, *, allow_ignore: bool = False) -> Boxes | None:
    """Note every fault of a loaded COCO file in ``report``; the boxes as arrays if it has none.

    A malformed record is named as such and takes no part in the checks of boxes.
    """
    if not isinstance(data, dict) or any(not isinstance(data.get(key), list) for key in SECTIONS):
        cure = "A COCO file is one object with the lists images, annotations and categories"
        cure = f"{cure}{hint_of(data)}."
        report.error("missing section", cure, [_sections_ill(data)])
        return None
    images, annotations, categories = (data[key] for key in SECTIONS)
    report.images, report.annotations = len(images), len(annotations)
    report.categories = len(categories)
    sound = {key: find_record_faults(report, key, data[key]) for key in SECTIONS}
    for section in SECTIONS:
        _find_duplicates(report, section, data[section], "id")
    _find_duplicates(report, "categories", categories, "name")
    _find_zero(report, annotations)
    if not images:
        report.error("no image", "Give the file at least one image.", ["images is empty"])
    if not categories:
        report.error("no category", "Name the classes.", ["categories is empty"])
    if not annotations:
        report.note("no annotation", "AP is NaN without ground truth.", ["annotations is empty"])
    for key, known in (("image_id", images), ("category_id", categories)):
        _find_strangers(report, annotations, key, _column(known, "id")[1])
    find_unused(report, annotations, categories)
    boxes = find_box_faults(
        report, annotations, sound["annotations"], images, allow_ignore=allow_ignore
    )
    return boxes if report.ok else None


def _sections_ill(data: object) -> str:
    """What is wrong with the sections: which are missing, or what they are in place of lists."""
    if not isinstance(data, dict):
        return f"lacks {list(SECTIONS)}, found {type(data).__name__}"
    missing = [key for key in SECTIONS if key not in data]
    if missing:
        return f"lacks {missing}, found {sorted(data)}"
    others = {key: data[key] for key in SECTIONS if not isinstance(data[key], list)}
    kinds = {dict: "an object", type(None): "null", str: "a text"}
    return ", ".join(f"{k} is {kinds.get(type(v), 'no list')}" for k, v in others.items())


def _column(records: list, key: str) -> tuple[list[int], list]:
    """Positions and values of a key, where a record has it as it should be."""
    kind = str if key == "name" else int
    # quick where all is well, which is nearly always
    try:
        values = [record[key] for record in records]
        if set(map(type, values)) <= {kind}:
            return list(range(len(values))), values
    except (KeyError, TypeError, IndexError):
        pass
    good = [i for i, r in enumerate(records) if isinstance(r, dict) and type(r.get(key)) is kind]
    return good, [records[i][key] for i in good]


def _find_duplicates(report: Report, section: str, records: list, key: str) -> None:
    positions, values = _column(records, key)
    if len(set(values)) == len(values):
        return
    counts = Counter(values)
    first: set = set()
    again = []
    for position, value in zip(positions, values, strict=True):
        if value in first:
            again.append(position)
        first.add(value)
    report.records(
        report.errors,
        f"duplicate {SINGULAR[section]} {key}",
        (
            f"Number each {SINGULAR[section]} once."
            if key == "id"
            else "Name each class once; --fix drops one that no box has."
        ),
        section,
        again,
        lambda position: (
            f"{key} {records[position][key]!r} x {counts[records[position][key]]} (no. {position})"
        ),
    )


def _find_zero(report: Report, annotations: list) -> None:
    positions, values = _column(annotations, "id")
    zeros = [position for position, value in zip(positions, values, strict=True) if value == 0]
    report.records(
        report.repairs,
        "annotation id 0",
        "Renumbered: COCO's matching takes 0 for 'no match'.",
        "annotations",
        zeros,
        lambda position: record_name("annotations", annotations, position),
    )


def _find_strangers(report: Report, annotations: list, key: str, known: list) -> None:
    positions, values = _column(annotations, key)
    ids = set(known)
    strange = [i for i, value in zip(positions, values, strict=True) if value not in ids]
    report.records(
        report.errors,
        f"unknown {key}",
        f"Add the {key[:-3]} or remove the annotation; known: {_short(sorted(ids)) or 'none'}."
        f"{_shifted(key, set(values), ids)}",
        "annotations",
        strange,
        lambda position: (
            f"{record_name('annotations', annotations, position)} has {key} "
            f"{annotations[position][key]}"
        ),
    )


def _shifted(key: str, used: set[int], known: set[int]) -> str:
    """A sentence where all ids would be known if they were counted from 0, or from 1; else ""."""
    for shift, first in ((1, 0), (-1, 1)):
        if {number + shift for number in used} <= known:
            return (
                f" All of them are known once {shift:+d} is added, as if annotations counted "
                f"from {first} and {key[:-3]} records from {1 - first}: give both the same ids."
            )
    return ""


def _short(values: list) -> str:
    text = ", ".join(map(str, values[:12]))
    return text + (f", ... {len(values)} in all" if len(values) > 12 else "")
