"""Check a COCO data set before anything is trained or measured on it: the file and its images.

``check_dataset(name)`` for a registered data set, ``check_coco(json_file, image_root)`` for a file.
"""

import json
import logging
import os
from typing import Literal

from d2freq.data.coco_faults import Fault, Report, find_faults
from d2freq.errors import DatasetError

__all__ = ["DatasetError", "Fault", "Report", "check_coco", "check_dataset", "read_coco"]

logger = logging.getLogger(__name__)

Depth = Literal["none", "exist", "size", "decode"]
DEPTHS = ("none", "exist", "size", "decode")
# Checks that found no error, by what was checked; an edited file has another time or size.
_passed: set[tuple] = set()


def check_dataset(name: str, *, images: Depth = "size") -> Report | None:
    """Check a registered data set; warn about repairs, raise on errors.

    Data sets without a COCO file (no ``json_file`` in their metadata) are not checked.

    Raises:
        DatasetError: a file is missing or faulty; the message names records and cures.
    """
    from detectron2.data import MetadataCatalog

    from d2freq.data.catalog import missing_files_error

    metadata = MetadataCatalog.get(name)
    json_file, image_root = metadata.get("json_file"), metadata.get("image_root")
    if not json_file:
        return None
    for path in (json_file, image_root):
        if path and not os.path.exists(path):
            raise missing_files_error(name, path)
    stat = os.stat(json_file)
    key = (os.path.abspath(json_file), stat.st_mtime_ns, stat.st_size, image_root, images)
    if key in _passed:
        return None
    report = check_coco(json_file, image_root, images=images)
    report.raise_if_faulty()
    if report.repairs:
        logger.warning(report.warning())
    _passed.add(key)
    return report


def check_coco(
    json_file: str | os.PathLike,
    image_root: str | os.PathLike | None = None,
    *,
    images: Depth = "size",
    allow_ignore: bool = False,
) -> Report:
    """Look for faults in a COCO file and, where ``image_root`` is given, in its images.

    Args:
        images: how far images are looked at: not at all, whether they exist, whether their
            header gives the size of the file ("size", the default), or by reading every pixel.
        allow_ignore: ``ignore: 1`` is a repair (a crowd region in evaluation), not an error.

    Returns:
        all faults that were found; see ``Report.ok`` and ``Report.raise_if_faulty``.
    """
    if images not in DEPTHS:
        raise ValueError(f"images={images!r} is unknown; choose one of {', '.join(DEPTHS)}")
    report = Report(str(json_file))
    try:
        data = read_coco(json_file)
    except DatasetError as error:
        report.error("unreadable file", "Fetch or write it again.", [str(error)])
        return report
    find_faults(data, report, allow_ignore=allow_ignore)
    records = data.get("images") if isinstance(data, dict) else None
    broken = {"missing key", "name that is no text"}
    whole = not any(fault.kind in broken for fault in report.errors)
    if image_root is not None and images != "none" and isinstance(records, list) and whole:
        _find_image_faults(report, records, os.fspath(image_root), images)
    return report


def read_coco(json_file: str | os.PathLike) -> object:
    """Parse a JSON file.

    Raises:
        DatasetError: it is missing, empty, cut off or no JSON; says where it breaks off.
    """
    try:
        with open(json_file, "rb") as file:
            return json.loads(file.read())
    except OSError as error:
        raise DatasetError(f"{json_file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{json_file}: not a JSON text ({error.reason})") from error
    except json.JSONDecodeError as error:
        size = os.path.getsize(json_file)
        # an unclosed string is reported where it begins, so "near the end" is generous
        cut = "cut off" if size - error.pos < 200 else "broken"
        where = f"line {error.lineno} column {error.colno}, byte {error.pos} of {size}"
        raise DatasetError(f"{json_file}: JSON is {cut} at {where} ({error.msg})") from error


def _find_image_faults(report: Report, records: list[dict], root: str, depth: Depth) -> None:
    missing, unreadable, resized = [], [], []
    present: dict[str, set[str]] = {}
    for record in records:
        path = os.path.join(root, record["file_name"])
        folder, name = os.path.split(path)
        if folder not in present:
            present[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in present[folder]:
            missing.append(path)
        elif depth != "exist":
            try:
                size = _image_size(path, decode=depth == "decode")
            except Exception as error:  # PIL raises many kinds on broken files
                unreadable.append(f"{path}: {error}")
                continue
            wish = (record["width"], record["height"])
            if size != wish:
                resized.append(
                    f"{path} is {size[0]} x {size[1]}, the file says {wish[0]} x {wish[1]}"
                )
    report.error("missing image", "Fetch it or remove its record.", missing)
    report.error("unreadable image", "Fetch it again or remove its record.", unreadable)
    report.error("image of another size", "Correct width and height, or the image.", resized)


def _image_size(path: str, *, decode: bool) -> tuple[int, int]:
    """Width and height as Detectron2 will see them, the EXIF rotation applied."""
    from PIL import Image

    with Image.open(path) as image:
        if decode:
            image.load()
        turned = image.format in ("JPEG", "MPO", "TIFF") and image.getexif().get(0x0112, 1) > 4
        width, height = image.size
    return (height, width) if turned else (width, height)
