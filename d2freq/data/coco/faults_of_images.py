"""Faults of the image files of a COCO data set: missing, cut off, or not as the file says."""

import os
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from tqdm import tqdm

from d2freq.data.coco.faults_of_records import is_length
from d2freq.data.coco.near_names import Near, find_near
from d2freq.data.coco.report import Fault, Report
from d2freq.utils.jobs import Item, Job
from d2freq.utils.pixels import EMPTY, MISSING, TRUNCATED, UNREADABLE, Look, look_at

Depth = Literal["none", "exist", "size", "decode"]
DEPTHS = ("none", "exist", "size", "decode")

RESIZED = "image of another size"
HUGE = "image too large to load"
NEAR = "image under another name"  # that is the only one to fit
SEVERAL = "image under several names"
DEEP = "image of more bits or bands than 8-bit RGB"
PAGES = "file of several pictures"


def find_image_faults(
    report: Report,
    records: list,
    root: str,
    depth: Depth,
    *,
    workers: int | None = 1,
    progress: bool = False,
) -> None:
    """Look for the image of each record that has a file name.

    Args:
        depth: whether it exists, whether its header gives the size of the file, or whether every
            pixel can be read.
        workers: processes that decode; None is one a core.
    """
    paths = {
        position: os.path.join(root, record["file_name"])
        for position, record in enumerate(records)
        if _is_named(record)
    }
    looks = _look_at_all(paths, depth, workers, progress)

    def note(faults: list[Fault], kind: str, cure: str, hits: list[int], describe) -> None:
        report.records(faults, kind, cure, "images", hits, describe)

    lost = [position for position, look in looks.items() if look.fault == MISSING]
    near = _find_near(report, records, root, lost)
    cures = {
        MISSING: (
            "Fetch it, or name the folder that file_name counts from; --fix --drop-missing would "
            "drop its record."
        ),
        EMPTY: "Fetch it again or remove its record.",
        UNREADABLE: "Fetch it again or remove its record.",
        TRUNCATED: "Fetch it again or remove its record.",
    }
    for kind, cure in cures.items():
        hits = [n for n, look in looks.items() if look.fault == kind and n not in near]
        note(report.errors, kind, cure, hits, lambda i: _why(paths[i], looks[i]))
    if depth == "exist":
        return
    seen = {position: look for position, look in looks.items() if not look.fault}

    def resized(position: int) -> str:
        (width, height), record = seen[position].size, records[position]
        upright = " once turned upright" if seen[position].turned else ""
        wish = f"{record['width']} x {record['height']}"
        return f"{paths[position]} is {width} x {height}{upright}, the file says {wish}"

    wrong = [position for position, look in seen.items() if _differs(records[position], look)]
    note(report.errors, RESIZED, "Correct width and height, or the image.", wrong, resized)

    cure = "Detectron2's reader refuses it: cut it into tiles, d2freq convert tiles."
    limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # above it Pillow raises instead of warning
    huge = [p for p, look in seen.items() if 0 < limit < look.size[0] * look.size[1]]

    def pixels_of(position: int) -> str:
        width, height = seen[position].size
        return f"{paths[position]} is {width} x {height}"

    note(report.errors, HUGE, cure, huge, pixels_of)

    def seen_as(position: int) -> str:
        return paths[position]

    cure = (
        "Detectron2 turns it upright: size and boxes are those of the upright image. Store a TIFF "
        "upright: with newer Pillow it is turned twice."
    )
    turned = [position for position, look in seen.items() if look.turned]
    note(report.notes, "image turned by EXIF", cure, turned, seen_as)

    def samples_of(position: int) -> str:
        return f"{paths[position]}: {seen[position].samples or seen[position].mode}"

    cure = "Refused until a reader is chosen: INPUT.PIXELS.RANGE and BANDS, see docs/pixels.md."
    deep = [position for position, look in seen.items() if look.deep]
    note(report.notes, DEEP, cure, deep, samples_of)

    def pages_of(position: int) -> str:
        return f"{paths[position]} has {seen[position].unread + 1}"

    cure = "The first picture of the file is read: write the others into files of their own."
    several = [position for position, look in seen.items() if look.unread]
    note(report.notes, PAGES, cure, several, pages_of)
    cure = "Read as RGB without its colour profile; the colours may differ."
    inks = [position for position, look in seen.items() if look.mode == "CMYK"]
    note(report.notes, "CMYK image", cure, inks, seen_as)


def _find_near(report: Report, records: list, root: str, lost: list[int]) -> dict[int, Near]:
    """Note the missing images that lie there under a name which nearly fits, by position."""
    without = set(lost)
    names = {n: r["file_name"] for n, r in enumerate(records) if _is_named(r)}
    taken = [name for n, name in names.items() if n not in without]
    found = find_near([names[n] for n in lost], root, taken)
    near = {n: found[names[n]] for n in lost if names[n] in found}
    for kind, cure, hits in (
        (NEAR, "--fix writes the name of the file.", [n for n, each in near.items() if each.only]),
        (
            SEVERAL,
            "Write the one that is meant as file_name.",
            [n for n, each in near.items() if not each.only],
        ),
    ):
        report.records(
            report.errors, kind, cure, "images", hits, lambda n: f"{names[n]}: {near[n]}"
        )
    return near


def _is_named(record: object) -> bool:
    return isinstance(record, dict) and isinstance(record.get("file_name"), str)


def _differs(record: dict, look: Look) -> bool:
    wish = (record.get("width"), record.get("height"))
    return all(map(is_length, wish)) and tuple(look.size) != wish


def _why(path: str, look: Look) -> str:
    known = look.fault == MISSING and not look.reason.startswith("a link")
    return path if known else f"{path}: {look.reason}"


def _look_at_all(
    paths: dict[int, str], depth: Depth, workers: int | None, progress: bool
) -> dict[int, Look]:
    """Position -> look; each file is opened once."""
    folders: dict[str, set[str]] = {}
    there = []
    for path in dict.fromkeys(paths.values()):
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name in folders[folder]:
            there.append(path)
    looks = dict.fromkeys(there, Look())
    if depth == "decode":
        items = [Item(path, path) for path in there]
        with tempfile.TemporaryDirectory() as folder:
            with Job(Path(folder) / "parts", key={}) as job:
                rows = job.run(
                    _decode, items, workers=workers, label="images decoded", progress=progress
                )
        looks = {path: Look(*row) for path, row in zip(there, rows, strict=True)}
    elif depth == "size":
        bar = tqdm(there, desc="image sizes", unit="img", disable=not progress)
        looks = {path: look_at(path) for path in bar}
    return {position: looks.get(path, Look(MISSING)) for position, path in paths.items()}


def _decode(path: str) -> list:
    look = look_at(path, decode=True)
    return [list(value) if isinstance(value, tuple) else value for value in look]
