"""Repair a COCO file: mend what the check names, say every change, and write only a sound file.

Nothing is guessed: categories are never invented, images with one id are never merged, and the
records of missing images go only where that is asked for.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from d2freq.data.coco.bench import Bench, Drop, Mender
from d2freq.data.coco.check import check_loaded
from d2freq.data.coco.faults import SECTIONS
from d2freq.data.coco.faults_of_boxes import OTHERWISE
from d2freq.data.coco.faults_of_images import Depth
from d2freq.data.coco.faults_of_records import NEEDS, SINGULAR, record_ills, record_name
from d2freq.data.coco.mend_records import OF_BOXES, STAGES
from d2freq.data.coco.readings import READINGS
from d2freq.data.coco.report import EXAMPLES, Fault, Report
from d2freq.errors import UserError
from d2freq.utils.choices import choice
from d2freq.utils.files import write_json
from d2freq.utils.pixels import TRUNCATED


@dataclass
class Change:
    """What was done about one kind of fault in one section; ``count`` records."""

    kind: str
    section: str
    dropped: bool
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        what = SINGULAR[self.section] if self.count == 1 else self.section
        more = self.count - len(self.examples)
        where = "; ".join(self.examples) + (f"; and {more} more" if more > 0 else "")
        verb = "dropped" if self.dropped else "changed"
        return f"{verb} {self.count} {what}, {self.kind}: {where}"


@dataclass
class Repaired:
    """A repaired file: its content, all changes in their order, and what is wrong still."""

    data: dict
    changes: list[Change]
    report: Report

    @property
    def remaining(self) -> list[Fault]:
        """The faults that could not be repaired."""
        return [*self.report.errors, *self.report.repairs]


def repair_coco(
    data: dict,
    checked: Report,
    *,
    image_root: str | os.PathLike | None = None,
    images: Depth = "size",
    drop_missing: bool = False,
    boxes_as: str = "",
    uncrowd: bool = False,
) -> Repaired:
    """Repair a loaded COCO file; ``data`` itself stays as it is.

    Args:
        checked: what the check found in it; images are not decoded again.
        images: how far images are looked at, as in check_coco.
        drop_missing: drop the records of images that are missing or cannot be read; those that lie
            there under another name stay.
        boxes_as: how boxes were written that do not fit as x, y, width, height ("xywh"): a key of
            READINGS. Without it no box of such a file is touched.
        uncrowd: where every box is a crowd, make objects of them.

    Raises:
        UserError: an unknown ``boxes_as``.
    """
    if boxes_as:
        choice(boxes_as, ("xywh", *READINGS), key="--boxes")
    cut_off = {
        data["images"][position]["file_name"]
        for fault in checked.errors
        if fault.kind == TRUNCATED
        for position in fault.records
    }
    root = None if image_root is None else os.fspath(image_root)
    depth: Depth = "size" if images == "decode" else images
    copies = {key: [_copy(record) for record in data[key]] for key in SECTIONS}
    data = {**data, **copies}
    changes: list[Change] = []
    # a repair may bring the next fault to light: an id that is read as a number may be a duplicate
    for _ in range(4 * len(STAGES)):
        report = Report(checked.file)
        check_loaded(data, report, root, images=depth)
        _note_cut_off(report, data["images"], cut_off)
        if boxes_as in READINGS and not any(c.kind == OTHERWISE for c in changes):
            _ask_for_reading(report, data)
        if boxes_as == "xywh":
            report.repairs = [fault for fault in report.repairs if fault.kind != OTHERWISE]
        made = _work(Bench(data, root, drop_missing, boxes_as, uncrowd), report)
        if not made:
            break
        changes += made
    return Repaired(data, changes, report)


def write_repaired(
    repaired: Repaired, source: str | os.PathLike, output: str | os.PathLike
) -> Path:
    """Write what was repaired.

    Raises:
        UserError: a fault remains, or ``output`` is the file that was read.
    """
    refuse_same_file(source, output)
    if repaired.remaining:
        kinds = ", ".join(f"{fault.kind} ({fault.count})" for fault in repaired.remaining)
        raise UserError(f"{output}: not written, these cannot be repaired: {kinds}")
    return write_json(output, repaired.data)


def refuse_same_file(source: str | os.PathLike, output: str | os.PathLike) -> None:
    """Raise UserError where a repair would be written over the file that was read."""
    if os.path.exists(output) and os.path.exists(source) and os.path.samefile(source, output):
        raise UserError(f"{output}: a repair is not written over its source; name another file")


def _copy(record: object) -> object:
    return dict(record) if isinstance(record, dict) else record


def _ask_for_reading(report: Report, data: dict) -> None:
    """Name the boxes that are to be read otherwise, though the check may have found them to fit."""
    report.repairs = [fault for fault in report.repairs if fault.kind != OTHERWISE]
    sized = {
        image["id"]
        for image in data["images"]
        if not record_ills("images", image) and NEEDS["images"] <= image.keys()
    }
    hits = [
        n
        for n, a in enumerate(data["annotations"])
        if not record_ills("annotations", a) and a["image_id"] in sized
    ]
    records = data["annotations"]
    cure = "Written as x, y, width, height."
    report.records(
        report.repairs,
        OTHERWISE,
        cure,
        "annotations",
        hits,
        lambda n: record_name("annotations", records, n),
    )


def _note_cut_off(report: Report, images: list, cut_off: set[str]) -> None:
    names = [image.get("file_name") if isinstance(image, dict) else None for image in images]
    hits = [i for i, name in enumerate(names) if isinstance(name, str) and name in cut_off]
    cure = "Fetch it again or remove its record."
    report.records(report.errors, TRUNCATED, cure, "images", hits, lambda i: str(names[i]))


def _work(bench: Bench, report: Report) -> list[Change]:
    """Do the first stage that has something to do."""
    faults = [*report.errors, *report.repairs, *report.notes]
    unclear = not bench.boxes_as and any(fault.kind == OTHERWISE for fault in faults)
    for stage in STAGES[: -len(OF_BOXES)] if unclear else STAGES:
        work = [(fault, stage[fault.kind]) for fault in faults if fault.kind in stage]
        changes = _do_stage(bench, work)
        if changes:
            return changes
    return []


def _do_stage(bench: Bench, work: list[tuple[Fault, Mender]]) -> list[Change]:
    changes: dict[tuple, Change] = {}
    dropped: dict[str, set[int]] = {section: set() for section in SECTIONS}
    for fault, mend in work:
        records = bench.data[fault.section]
        for position in fault.records:
            if position in dropped[fault.section]:
                continue
            name = record_name(fault.section, records, position)
            text = mend(bench, fault.section, records[position])
            if text is None:
                continue
            drop = isinstance(text, Drop)
            if drop:
                dropped[fault.section].add(position)
            key = (fault.kind, fault.section, drop)
            change = changes.setdefault(key, Change(*key))
            change.count += 1
            if len(change.examples) < EXAMPLES:
                change.examples.append(f"{name} {text}")
    for section, positions in dropped.items():
        if positions:
            kept = [r for i, r in enumerate(bench.data[section]) if i not in positions]
            bench.data[section] = kept
    return list(changes.values())
