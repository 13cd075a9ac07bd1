"""DOTA's result files: one a class, Task1 with oriented boxes, Task2 with upright ones.

``Task1_plane.txt`` has lines ``image score x1 y1 x2 y2 x3 y3 x4 y4``, ``Task2_plane.txt`` has
``image score xmin ymin xmax ymax``: what is left after the tiles were merged.
"""

import re
from pathlib import Path

from d2freq.data.convert.label_files import read_lines
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.results.columns import Columns, read_numbers
from d2freq.evaluation.results.truth import Image, Truth

__all__ = ["TASK", "add_task_file"]

TASK = re.compile(r"^task([12])_(.+)\.txt$", re.IGNORECASE)
ORIENTED = "oriented boxes, of which the least upright box around them is measured"
EXCHANGED = "boxes whose min is above their max, exchanged"
FIELDS = {"1": 10, "2": 6}


def add_task_file(path: Path, truth: Truth, found: Columns) -> None:
    """Add the detections of one class to ``found``.

    Raises:
        DetectionError: a row of another form, an image or class that ground truth lacks; the
            message names file and line.
    """
    match = TASK.match(path.name)
    assert match is not None
    task, name = match.groups()
    category = truth.category(name, str(path))
    images: dict[str, Image] = {}
    for place, text in read_lines(path):
        words = text.split()
        if len(words) != FIELDS[task]:
            wish = "x1 y1 ... x4 y4" if task == "1" else "xmin ymin xmax ymax"
            raise DetectionError(f"{place}: {len(words)} words, expected image score {wish}")
        stem = words[0]
        if stem not in images:
            images[stem] = truth.image(stem, place, suffix=Path(stem).suffix != "")
        score, *sides = read_numbers(words[1:], place)
        xs, ys = sides[0::2], sides[1::2]
        found.notes[EXCHANGED] += task == "2" and (xs[0] > xs[1] or ys[0] > ys[1])
        box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
        found.notes[ORIENTED] += task == "1"
        found.add(images[stem].id, category, box, score, place)
