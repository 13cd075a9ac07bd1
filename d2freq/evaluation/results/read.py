"""One call for results of every form, a file or a folder."""

import logging
import os
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from d2freq.evaluation.coco.detections_file import read_detections
from d2freq.evaluation.coco.guard import DetectionError, Detections
from d2freq.evaluation.coco.run_names import numbered_as
from d2freq.evaluation.results.columns import Columns
from d2freq.evaluation.results.dota import TASK, add_task_file
from d2freq.evaluation.results.named_json import goes_by_names, read_named
from d2freq.evaluation.results.text import add_text_file, names_beside
from d2freq.evaluation.results.truth import Truth

__all__ = ["read_results"]

logger = logging.getLogger(__name__)

# files of results by the names that tools give them, and those that lie beside and are none
USUAL = ("detections.json", "coco_instances_results.json", "predictions.json", "results.json")
NOT_RESULTS = (
    "classes.txt",
    "data.txt",
    "readme.txt",
    "labels.txt",
    "args.txt",
    "requirements.txt",
)
ABOVE = (
    "scores above 1: {} is the first. They go from 0 to 1; divide percents by 100, and look "
    "whether confidence and track, or other columns, are exchanged"
)
BELOW = "scores below 0: {} is the first. They go from 0 to 1; take the sigmoid of logits"
NEGATIVE = (
    "boxes with a negative width or height: {} is the first. They are no detections; a box is x, "
    "y, width, height, so look whether corners are in another order"
)
LABELS = ("labels", "yolo/labels", "visdrone")  # below a run's folder


def read_results(
    path: str | os.PathLike,
    truth_file: str | os.PathLike,
    *,
    masks: bool = False,
    names: str | None = None,
    known: Collection[int] = (),
) -> Detections:
    """The detections of a file or folder, under the image and category ids of ground truth.

    * JSON in COCO's result format, by ids or by file names;
    * a folder of text files an image, YOLO's or VisDrone's;
    * a folder of DOTA's Task1 or Task2 files, one a class;
    * a folder with one file of results in it, as training and ``d2freq detect`` leave it.

    Images, classes and sizes are those of ground truth. A line tells what was left out.

    Args:
        truth_file: a COCO file.
        masks: read the masks of a COCO file, too, if each detection has one.
        names: of YOLO's class numbers, as in ``read_names``; without it a data.yaml beside the
            files, or else the order of ground truth's ids.
        known: image ids of ground truth, where they are read already.

    Raises:
        DetectionError: nothing of these; the message names file, line or entry, and the cure.
    """
    place = Path(path)
    if place.is_dir():
        inner = _results_file(place)
        if inner is None:
            return _told(_of_texts(place, Truth(truth_file), names), place)
        place = inner
    if place.suffix.lower() == ".txt" and place.is_file():
        return _told(_of_texts(place, Truth(truth_file), names), place)
    if place.is_file() and goes_by_names(place):
        return _told(read_named(place, Truth(truth_file)), place)
    try:
        found = numbered_as(read_detections(place, masks=masks), place, truth_file)
        _tell_strange(found, place, lambda row: f"entry {row}")
        strange = np.setdiff1d(found.image_id, list(known))
        return _by_stems(found, Truth(truth_file), place) if len(strange) else found
    except DetectionError as error:
        if "image_id" not in str(error) or "whole number" not in str(error):
            raise
        # ids that are numbers in part, as YOLO writes 7 for 7.jpg and "a" for a.jpg
        return _told(read_named(place, Truth(truth_file)), place)


def _by_stems(found: Detections, truth: Truth, place: Path) -> Detections:
    """Image ids that are no ids of ground truth, but the numbers of its files, as YOLO has them."""
    used = set(np.unique(found.image_id).tolist())
    if used <= truth.ids or not used <= truth.by_number.keys():
        return found
    logger.warning("%s: image ids are the numbers of the files of %s", place, truth.path)
    ids = [truth.by_number[number] for number in found.image_id.tolist()]
    return replace(found, image_id=np.array(ids, np.int64))


def _results_file(folder: Path) -> Path | None:
    """The file of results in a folder; None where there are text files instead."""
    files = sorted(file for file in folder.glob("*.json") if not file.name.endswith("_coco.json"))
    usual = [file for name in USUAL for file in files if file.name == name]
    if usual:
        return usual[0]
    fitting = [file for file in files if file.name.endswith(("results.json", ".bbox.json"))]
    if len(fitting) == 1:
        return fitting[0]
    if len(fitting) > 1:
        raise DetectionError(
            f"{folder}: several files of results, {', '.join(f.name for f in fitting)}; name one"
        )
    return None


def _of_texts(place: Path, truth: Truth, names: str | None) -> Columns:
    """The text files of a folder, or one of them."""
    found = Columns()
    folder = place
    if place.is_dir():
        folder = next((place / name for name in LABELS if (place / name).is_dir()), place)
        files = [f for f in sorted(folder.rglob("*.txt")) if f.name.lower() not in NOT_RESULTS]
        hidden = [f for f in files if any(p.startswith(".") for p in f.relative_to(folder).parts)]
        files = [f for f in files if f not in hidden]
    else:
        folder, files = place.parent, [place]
    if not files:
        raise DetectionError(
            f"{place}: no results there: looked for {', '.join(USUAL)}, text files an image (YOLO, "
            "VisDrone), and Task1_ or Task2_ files (DOTA); name the file or folder of detections"
        )
    tasks = [file for file in files if TASK.match(file.name)]
    if tasks:
        kinds = {file.name[:5].lower() for file in tasks}
        if len(kinds) > 1:
            raise DetectionError(
                f"{place}: both Task1_ and Task2_ files; put each task into a folder of its own"
            )
        if len(tasks) < len(files):
            other = next(file for file in files if file not in tasks)
            raise DetectionError(f"{other}: among files of DOTA's tasks, but none; remove it")
        for file in tasks:
            add_task_file(file, truth, found)
        return found
    classes = names_beside(folder, truth, names)
    for file in files:
        name = file.relative_to(folder).with_suffix("").as_posix()
        add_text_file(file, name, truth, classes, found)
    return found


def _told(rows: Columns, place: Path) -> Detections:
    for sentence, count in sorted((+rows.notes).items()):
        logger.warning("%s: %d %s", place, count, sentence)
    found = rows.detections()
    _tell_strange(found, place, lambda row: rows.places[row])
    return found


def _tell_strange(found: Detections, place: Path, where: Callable[[int], str]) -> None:
    """Say what no detector writes, so that columns are in another order, or in another unit.

    The guard drops boxes with negative sides, or refuses them; here the first is named.
    """
    with np.errstate(invalid="ignore"):
        above, below = found.score > 1, found.score < 0
        negative = (found.xywh[:, 2:] < 0).any(axis=1)
    for strange, sentence in ((above, ABOVE), (below, BELOW), (negative, NEGATIVE)):
        if strange.any():
            row = int(np.argmax(strange))
            value = found.xywh[row].tolist() if strange is negative else found.score[row]
            logger.warning(
                "%s: %d %s", place, strange.sum(), sentence.format(f"{value} in {where(row)}")
            )
