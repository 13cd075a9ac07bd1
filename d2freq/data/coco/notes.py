"""What is odd in a COCO file and harmless, or may be meant so: ``d2freq validate`` prints it."""

import os
from collections import Counter
from pathlib import Path

from d2freq.data.builtin import SOURCES
from d2freq.data.coco.classes import plain_name
from d2freq.data.coco.faults_of_records import record_name
from d2freq.data.coco.report import Report
from d2freq.utils.names import PICTURES


def find_notes(
    data: dict,
    report: Report,
    *,
    image_root: str | os.PathLike | None = None,
    max_boxes: int | None = None,
    ignore_flags: str = "",
) -> None:
    """Add notes on a loaded file whose sections are lists to ``report``.

    Args:
        image_root: where images lie that the file may have forgotten.
        max_boxes: detections an image and category that the protocol takes; more boxes than that
            cannot all be found.
        ignore_flags: what the protocol makes of boxes with the flag ``ignore``; "" says nothing.
    """
    images = [image for image in data["images"] if isinstance(image, dict)]
    names = [str(image.get("file_name", "")) for image in images]
    _note_names(report, names)
    if image_root is not None:
        _note_forgotten(report, names, os.fspath(image_root))
    _note_boxes(report, data["annotations"], max_boxes)
    if ignore_flags:
        _note_flags(report, data["annotations"], ignore_flags)
    _note_spellings(report, data["categories"])
    _note_order(report, data["categories"])


def _note_names(report: Report, names: list[str]) -> None:
    again = [f"{name} x {count}" for name, count in Counter(names).items() if count > 1]
    cure = "Each record counts as an image of its own: give an image one record."
    report.note("duplicate file name", cure, again)
    cure = "Only this machine finds it: write it relative to the folder of images."
    report.note("absolute file name", cure, [name for name in names if os.path.isabs(name)])
    cure = "It leaves the folder of images."
    leaving = [name for name in names if ".." in Path(name).parts]
    report.note("file name with '..'", cure, leaving)
    cure = "Archives and other systems may spell it in other bytes."
    report.note("file name that is not ASCII", cure, [n for n in names if not n.isascii()])


def _note_forgotten(report: Report, names: list[str], root: str) -> None:
    known = {os.path.normpath(os.path.join(root, name)) for name in names}
    folders = sorted({os.path.normpath(root), *map(os.path.dirname, known)})
    pictures = [
        os.path.join(folder, entry)
        for folder in folders
        if os.path.isdir(folder)
        for entry in sorted(os.listdir(folder))
        if entry.lower().endswith(PICTURES)
    ]
    forgotten = [picture for picture in pictures if picture not in known]
    cure = "Nothing is trained or measured on it; as meant where splits share a folder."
    report.note("image that is not in the file", cure, forgotten)


def _note_boxes(report: Report, annotations: list, max_boxes: int | None) -> None:
    seen: set[tuple] = set()
    again = []
    crowded: Counter[tuple] = Counter()
    for position, a in enumerate(annotations):
        try:
            place = (a["image_id"], a["category_id"])
            crowded[place] += 1
            key = (*place, *a["bbox"])
            if key in seen:
                again.append(position)
            seen.add(key)
        except (KeyError, TypeError):  # malformed, and an error already
            continue
    report.records(
        report.notes,
        "duplicate box",
        "One of them can never be found: remove it, unless two objects share a box.",
        "annotations",
        again,
        lambda position: (
            f"{record_name('annotations', annotations, position)} has bbox "
            f"{annotations[position]['bbox']} again"
        ),
    )
    if max_boxes is not None:
        many = [
            f"image {image} has {count} of category {category}"
            for (image, category), count in crowded.most_common()
            if count > max_boxes
        ]
        cure = f"The protocol takes {max_boxes} detections an image and category: recall is capped."
        report.note("more boxes than detections", cure, many)


def _note_flags(report: Report, annotations: list, cure: str) -> None:
    flagged = [n for n, a in enumerate(annotations) if isinstance(a, dict) and a.get("ignore")]
    report.records(
        report.notes,
        "ignore flag in the measure",
        f"{cure} --fix writes it as iscrowd, which every protocol takes out of the count.",
        "annotations",
        flagged,
        lambda position: record_name("annotations", annotations, position),
    )


def _note_spellings(report: Report, categories: list) -> None:
    named = [c for c in categories if isinstance(c, dict) and isinstance(c.get("name"), str)]
    blank = [f"category {c.get('id')} is {c['name']!r}" for c in named if not c["name"].strip()]
    report.note("class without a name", "Tables and pictures leave its place empty.", blank)
    spelt: dict[str, list[str]] = {}
    for name in sorted({c["name"] for c in named if c["name"].strip()}):
        spelt.setdefault(plain_name(name), []).append(name)
    alike = [" and ".join(map(repr, names)) for names in spelt.values() if len(names) > 1]
    cure = "A detector takes them for classes of their own: give both one id, if they are one."
    report.note("class names that differ in spelling alone", cure, alike)


def _note_order(report: Report, categories: list) -> None:
    try:
        pairs = [(c["id"], str(c["name"])) for c in categories]
        ordered = sorted(pairs, key=lambda pair: pair[0])
    except (KeyError, TypeError):  # malformed, and an error already
        return
    names = [name for _, name in ordered]
    if pairs != ordered:
        cure = f"Labels go by id, not by place: {', '.join(names)}."
        moved = [
            f"{n} (id {i})" for (i, n), pair in zip(pairs, ordered, strict=True) if (i, n) != pair
        ]
        report.note("category order", cure, moved)
    known = {source.classes for source in SOURCES.values() if source.classes}
    if any(list(classes) == names for classes in known):
        return
    for name, source in SOURCES.items():
        if source.classes and sorted(source.classes) == sorted(names):
            cure = f"Weights trained on it name the classes otherwise: {', '.join(source.classes)}."
            moved = [n for n, wish in zip(names, source.classes, strict=True) if n != wish]
            report.note(f"category order other than that of {name}", cure, moved)
            return
