"""Results as a text file an image: YOLO's, and those of VisDrone's toolkit.

YOLO: ``class cx cy w h confidence``, perhaps with a track behind it, in shares of the image.
VisDrone: ``left,top,width,height,score,category,truncation,occlusion`` in pixels.
"""

import os
import re
from pathlib import Path

from d2freq.data.convert.class_names import read_names
from d2freq.data.convert.label_files import read_lines
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.results.columns import Columns, read_numbers
from d2freq.evaluation.results.truth import Truth

__all__ = ["add_text_file", "names_beside"]

VISDRONE_FIELDS = 8
VISDRONE_LAST = 10  # of the classes; 0 and 11 are regions and others
NO_CLASS = "detections of VisDrone's categories 0 and 11, which are no classes, left out"
TRACKS = "tracks left out"
LARGEST = 2.0  # a share beyond it is a pixel
ABOUT = ("data.yaml", "data.yml", "classes.txt")


def add_text_file(path: Path, name: str, truth: Truth, classes: list[int], found: Columns) -> None:
    """Add the detections of a file to ``found``.

    Args:
        name: of the image, without its ending.
        classes: the category id of each of YOLO's class numbers.

    Raises:
        DetectionError: a row of another form, an image or class that ground truth lacks; the
            message names file and line.
    """
    lines = read_lines(path)
    if not lines:
        return
    image = truth.image(name, str(path), suffix=False)
    for place, text in lines:
        if "," in text:
            _add_visdrone(place, text, image.id, truth, found)
            continue
        words = text.split()
        if len(words) == 5:
            raise DetectionError(
                f"{place}: {text!r} has no confidence, as labels have none; detections are class "
                "cx cy w h confidence (YOLO writes it with save_txt=True save_conf=True)"
            )
        if len(words) not in (6, 7):
            raise DetectionError(
                f"{place}: {len(words)} numbers, expected class cx cy w h confidence, or "
                "VisDrone's left,top,width,height,score,category,truncation,occlusion"
            )
        number, cx, cy, w, h, score, *track = read_numbers(words, place)
        if track and track[0] != int(track[0]):
            raise DetectionError(
                f"{place}: {text!r} ends in {words[6]}, which is no number of a track; the order "
                "is class cx cy w h confidence track, so exchange the last two columns"
            )
        found.notes[TRACKS] += len(track)
        if number not in range(len(classes)):
            raise DetectionError(
                f"{place}: class {words[0]}, but {truth.path} has {len(classes)} (from 0 on); name "
                "the classes with --names"
            )
        if max(map(abs, (cx, cy, w, h))) > LARGEST:
            raise DetectionError(
                f"{place}: {text!r} are no shares of width and height (from 0 to 1)"
            )
        if not image.width or not image.height:
            raise DetectionError(f"{place}: {truth.path} has no size of {image.name}")
        box = ((cx - w / 2) * image.width, (cy - h / 2) * image.height)
        size = (w * image.width, h * image.height)
        found.add(image.id, classes[int(number)], (*box, *size), score, place)


def _add_visdrone(place: str, text: str, image: int, truth: Truth, found: Columns) -> None:
    words = re.split(r"\s*,\s*|\s+", text.strip(", \t"))
    if len(words) != VISDRONE_FIELDS:
        raise DetectionError(
            f"{place}: {len(words)} fields, expected left,top,width,height,score,category,"
            "truncation,occlusion"
        )
    x, y, w, h, score, category, _, _ = read_numbers(words, place)
    if category not in truth.names:
        if category in (0, VISDRONE_LAST + 1):
            found.notes[NO_CLASS] += 1
            return
        known = ", ".join(map(str, truth.names))
        raise DetectionError(f"{place}: category {words[5]}; {truth.path} has {known}")
    found.add(image, int(category), (x, y, w, h), score, place)


def names_beside(folder: Path, truth: Truth, names: str | os.PathLike | None) -> list[int]:
    """The category id of each class number: by names, or else in the order of ground truth's ids.

    Args:
        names: as in ``read_names``; None looks for a data.yaml in ``folder`` or above it.

    Raises:
        DetectionError: a class that ground truth lacks.
    """
    if names is None:
        places = [root / name for root in (folder, folder.parent) for name in ABOUT]
        names = next((place for place in places if place.is_file()), None)
    if names is None:
        return list(truth.names)
    return [truth.category(name, str(names)) for name in read_names(names)]
