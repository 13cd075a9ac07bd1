"""Faults of the image files of a COCO data set: missing, cut off, or not as the file says."""

import os
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from tqdm import tqdm

from d2freq.data.coco.faults_of_records import is_length
from d2freq.data.coco.report import Fault, Report
from d2freq.utils.jobs import Item, Job

Depth = Literal["none", "exist", "size", "decode"]
DEPTHS = ("none", "exist", "size", "decode")

MISSING = "missing image"
EMPTY = "empty image file"
UNREADABLE = "unreadable image"
TRUNCATED = "truncated image"
# images without pixels: what is to be done is the same for all of them
LOST = (MISSING, EMPTY, UNREADABLE, TRUNCATED)
RESIZED = "image of another size"
HUGE = "image too large to load"
DEEP = "16-bit image"

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright, 5 to 8 exchange width and height
_CAMERA_FORMATS = ("JPEG", "MPO", "TIFF")
_DEEP_MODES = ("I", "F")


class Look(NamedTuple):
    """What was seen of an image file.

    ``size`` is (width, height) in pixels as Detectron2 sees them, the EXIF rotation applied.
    """

    fault: str = ""  # one of LOST
    reason: str = ""
    size: tuple[int, int] = (0, 0)
    turned: bool = False  # by its EXIF orientation
    mode: str = ""  # of PIL


def look_at(path: str, decode: bool = False) -> Look:
    """Open an image, read its header and with ``decode`` every pixel."""
    from PIL import Image

    from d2freq.utils.pixels import any_size

    try:
        if os.path.getsize(path) == 0:
            return Look(EMPTY, "0 bytes")
    except OSError as error:
        return Look(MISSING, str(error.strerror))
    stage = UNREADABLE
    try:
        with any_size(), Image.open(path) as image:
            stage = TRUNCATED
            # asking a PNG without EXIF data for it reads all pixels
            asked = image.format in _CAMERA_FORMATS or "exif" in image.info
            before = image.getexif().get(_ORIENTATION, 1) if asked else 1
            # newer PIL turns a TIFF itself when it reads the pixels
            if decode or (image.format == "TIFF" and before > 1):
                image.load()
                asked = True
            left = image.getexif().get(_ORIENTATION, 1) if asked else 1
            width, height = image.size
            mode = image.mode
    except Exception as error:  # PIL raises many kinds on broken files
        return Look(stage if decode else UNREADABLE, str(error))
    size = (height, width) if left in (5, 6, 7, 8) else (width, height)
    return Look(size=size, turned=1 < max(before, left) < 9, mode=mode)


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
        if isinstance(record, dict) and isinstance(record.get("file_name"), str)
    }
    from PIL import Image

    looks = _look_at_all(paths, depth, workers, progress)

    def note(faults: list[Fault], kind: str, cure: str, hits: list[int], describe) -> None:
        report.records(faults, kind, cure, "images", hits, describe)

    cures = {
        MISSING: "Fetch it or remove its record (--fix --drop-missing).",
        EMPTY: "Fetch it again or remove its record.",
        UNREADABLE: "Fetch it again or remove its record.",
        TRUNCATED: "Fetch it again or remove its record.",
    }
    for kind, cure in cures.items():
        hits = [position for position, look in looks.items() if look.fault == kind]
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
    cure = "Read as 8 bit, values over 255 turn white: convert it to 8 bit."
    deep = [position for position, look in seen.items() if look.mode.startswith(_DEEP_MODES)]
    note(report.notes, DEEP, cure, deep, seen_as)
    cure = "Read as RGB without its colour profile; the colours may differ."
    inks = [position for position, look in seen.items() if look.mode == "CMYK"]
    note(report.notes, "CMYK image", cure, inks, seen_as)


def _differs(record: dict, look: Look) -> bool:
    wish = (record.get("width"), record.get("height"))
    return all(map(is_length, wish)) and tuple(look.size) != wish


def _why(path: str, look: Look) -> str:
    return path if look.fault == MISSING else f"{path}: {look.reason}"


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
    return [look.fault, look.reason, list(look.size), look.turned, look.mode]
