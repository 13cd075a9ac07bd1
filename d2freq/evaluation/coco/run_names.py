"""Detections of a run on a folder: its pictures go by their names, not by ground truth's ids.

``d2freq detect`` numbers the pictures of a folder, and its classes, from 1, and writes beside
``detections.json`` what the numbers mean, ``detections_coco.json``. Ground truth numbers its own.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from d2freq.data.coco.read import read_coco
from d2freq.evaluation.coco.guard import DetectionError, Detections

__all__ = ["numbered_as"]

logger = logging.getLogger(__name__)


def numbered_as(
    found: Detections, path: str | os.PathLike, truth_file: str | os.PathLike
) -> Detections:
    """The detections under the image and category ids of ground truth.

    A line tells of pictures of ground truth that the run did not search: they count as missed.

    Args:
        found: of the file ``path``; where no file beside it says what its numbers mean, or where
            they are those of ground truth, it comes back as it is.
        truth_file: a COCO file.

    Raises:
        DetectionError: detections are on a picture, or of a class, that ground truth lacks, or has
            several of.
    """
    beside = Path(path).with_name(Path(path).stem + "_coco.json")
    if not beside.is_file():
        return found
    run, truth, name = read_coco(beside), read_coco(truth_file), os.fspath(truth_file)
    columns = {}
    for part, key, column in (
        ("images", "file_name", found.image_id),
        ("categories", "name", found.category_id),
    ):
        theirs = {entry["id"]: str(entry[key]) for entry in truth[part]}
        ours = {entry["id"]: str(entry[key]) for entry in run[part]}
        used = {number: ours[number] for number in np.unique(column).tolist() if number in ours}
        if all(theirs.get(number) == text for number, text in used.items()):
            columns[part] = column
            continue
        new = {number: _place(text, theirs, path, name) for number, text in used.items()}
        columns[part] = np.array([new.get(number, number) for number in column.tolist()], np.int64)
        logger.warning(
            "%s: %s go by their names in %s, since %s numbers them otherwise",
            *(path, part, beside.name, name),
        )
    left = len(truth["images"]) - len(run["images"])
    if left > 0:
        logger.warning(
            "%s: %d of the %d pictures of %s were not searched, and their objects count as missed",
            *(path, left, len(truth["images"]), name),
        )
    return replace(found, image_id=columns["images"], category_id=columns["categories"])


def _place(text: str, theirs: Mapping[int, str], path: str | os.PathLike, name: str) -> int:
    """The id of the entry of this name; of a picture, whose folder one side may leave out."""
    same = [number for number, other in theirs.items() if other == text]
    same = same or [
        number
        for number, other in theirs.items()
        if other.endswith("/" + text) or text.endswith("/" + other)
    ]
    if len(same) != 1:
        raise DetectionError(
            f"{path}: detections are on or of {text!r}, of which {name} has {len(same)}; name the "
            "ground truth of these pictures and classes"
        )
    return same[0]
