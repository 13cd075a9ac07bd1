"""Check a COCO data set before anything is trained or measured on it: the file and its images.

``check_dataset(name)`` for a registered data set, ``check_coco(json_file, image_root)`` for a file.
"""

import logging
import os

from d2freq.data.coco.faults import Boxes, Fault, Report, find_faults
from d2freq.data.coco.faults_of_images import DEPTHS, Depth, find_image_faults
from d2freq.data.coco.read import parse
from d2freq.errors import DatasetError
from d2freq.utils.choices import choice
from d2freq.utils.text import is_plain

__all__ = [
    "DatasetError",
    "Fault",
    "Report",
    "check_coco",
    "check_dataset",
    "check_loaded",
    "read_noting",
    "refuse_faulty",
]

logger = logging.getLogger(__name__)

# Checks that found no error, by what was checked; an edited file has another time or size.
_passed: dict[tuple, Report] = {}


def check_dataset(name: str, *, images: Depth = "size") -> Report | None:
    """Check a registered data set; warn about repairs, raise on errors.

    Data sets without a COCO file (no ``json_file`` in their metadata) are not checked. Others are
    checked once, until their file changes.

    Raises:
        DatasetError: a file is missing or faulty; the message names records and cures.
    """
    from detectron2.data import MetadataCatalog

    from d2freq.data.catalog import missing_files_error
    from d2freq.data.plain_copies import read_by_us

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
        return _passed[key]
    report = check_coco(json_file, image_root, images=images)
    report.raise_if_faulty()
    if report.repairs:
        logger.warning(report.warning())
    if not is_plain(json_file):
        read_by_us(name)
    _passed[key] = report
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

    Examples:
        >>> import json, tempfile
        >>> from pathlib import Path
        >>> from d2freq.data import check_coco
        >>> image = {"id": 1, "file_name": "1.png", "height": 9, "width": 9}
        >>> box = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [2, 2, 3, 4], "area": 12}
        >>> classes = [{"id": 1, "name": "ship"}]
        >>> truth = {"images": [image], "annotations": [box], "categories": classes}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "ships.json"
        ...     _ = file.write_text(json.dumps(truth))
        ...     report = check_coco(file)
        >>> report.ok  # there is no category 7
        False
    """
    report = Report(str(json_file))
    data = read_noting(report)
    if report.ok:
        check_loaded(data, report, image_root, images=images, allow_ignore=allow_ignore)
    return report


def read_noting(report: Report) -> object:
    """Parse the report's file; None, and an error in the report, where it cannot be read."""
    try:
        return parse(report.file)
    except DatasetError as error:
        report.error("unreadable file", "Fetch or write it again.", [str(error)])
        return None


def check_loaded(
    data: object,
    report: Report,
    image_root: str | os.PathLike | None = None,
    *,
    images: Depth = "size",
    allow_ignore: bool = False,
    workers: int | None = 1,
    progress: bool = False,
) -> Boxes | None:
    """As check_coco, for a file that is loaded, into a report.

    Args:
        workers: processes that decode images; None is one a core.

    Returns:
        the boxes as arrays where there is no error.
    """
    choice(images, DEPTHS, key="images")
    boxes = find_faults(data, report, allow_ignore=allow_ignore)
    records = data.get("images") if isinstance(data, dict) else None
    if image_root is not None and images != "none" and isinstance(records, list):
        root = os.fspath(image_root)
        find_image_faults(report, records, root, images, workers=workers, progress=progress)
    return boxes if report.ok else None


def refuse_faulty(data: object, name: str) -> tuple[Boxes, Report]:
    """The boxes of a loaded COCO file as arrays, and what is repaired in it.

    ``ignore: 1`` is a repair. The records stay as they are: ``Boxes.keep`` says which of them
    can be used.

    Raises:
        DatasetError: the file, ``name`` in the message, is faulty; all faults are named.
    """
    report = Report(name)
    boxes = find_faults(data, report, allow_ignore=True)
    report.raise_if_faulty()
    assert boxes is not None  # else there were errors
    return boxes, report
