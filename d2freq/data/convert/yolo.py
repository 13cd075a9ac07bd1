"""YOLO labels: a text file an image, a line an object, in shares of the image's width and height.

``class cx cy w h``, perhaps with a confidence and a track behind it; with keypoints, where
data.yaml says so; or ``class x1 y1 x2 y2 x3 y3 ...``, a polygon. Classes count from 0, and become
category ids from 1 on. See d2freq.data.convert.yolo_rows for rows with two readings, and
d2freq.data.convert.yolo_layout for where the files lie.
"""

import os
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from d2freq.data.convert.class_names import find_names, read_names
from d2freq.data.convert.images_to_coco import NO_LABELS, convert_images, image_result
from d2freq.data.convert.label_files import Pair, read_lines
from d2freq.data.convert.yolo_layout import YAML, find_yolo
from d2freq.data.convert.yolo_rows import KINDS, Row, RowForm, read_rows
from d2freq.errors import UserError
from d2freq.utils.choices import choice

NAMES = ("data.yaml", "data.yml", "classes.txt", "obj.names", "labels/classes.txt")


def convert_yolo(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    split: str = "",
    names: str | None = None,
    rows: str = "auto",
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of YOLO labels; ``file_name`` counts from the folder of the images.

    Polygons become ``segmentation``, keypoints ``keypoints`` with ``num_keypoints``; the area is
    that of the box.

    Args:
        source: a folder, a data.yaml, darknet's obj.data, or a list of images (train.txt).
        split: what of it is converted; "" takes all of a folder.
        names: as in ``read_names``; without it the file that ``source`` names, or the data.yaml or
            classes.txt in ``source``, or in the folder above, which is where exports with a folder
            a split have it.
        rows: "boxes" or "polygons" where rows have two readings.

    Values a bit outside of [0, 1] are kept as they are and counted as boxes over the border.

    Raises:
        UserError: no images, no class names.
        FailedItems: a label file without image, an unreadable image, a line of another form or of
            two readings, a class without a name, values that are no shares; all such files are
            listed.
    """
    choice(rows, KINDS, key="--rows")
    root = Path(source)
    found = find_yolo(root, split)
    classes = (
        read_names(names or found.names or "")
        if names or found.names
        else find_names([folder / name for folder in found.folders for name in NAMES])
    )
    if names and Path(names).suffix.lower() in YAML and os.path.isfile(names):
        found = replace(found, about=Path(names))
    form = RowForm(rows, found.kpt_shape(), told=found.about is not None)
    key = {"format": "yolo", "source": os.path.abspath(root), "split": split, "names": classes}
    return convert_images(
        output,
        partial(_convert, names=classes, form=form),
        [pair.item() for pair in found.pairs],
        key={**key, "rows": rows, "keypoints": list(form.keypoints), "told": form.told},
        names=classes,
        description=f"YOLO labels of {root.resolve().name}",
        root=found.pairs[0].root if root.is_file() or found.names else None,
        workers=workers,
        progress=progress,
    )


def _convert(pair: Pair, *, names: list[str], form: RowForm) -> dict:
    image = pair.image_record()
    notes: Counter[str] = Counter()
    if not pair.label:
        notes[NO_LABELS] += 1
    lines = read_lines(pair.label) if pair.label else []
    boxes = []
    for (place, _), row in zip(lines, read_rows(lines, form, notes), strict=True):
        if row.number not in range(len(names)):
            raise UserError(
                f"{place}: class {row.number}, known are 0 to {len(names) - 1}; add its name to "
                "those of data.yaml (or --names), or correct the row: classes count from 0"
            )
        boxes.append(_annotation(row, names[row.number], image["width"], image["height"]))
    return image_result(image, boxes, notes)


def _annotation(row: Row, name: str, width: int, height: int) -> dict:
    x, y, w, h = row.box
    found = {"category": name, "bbox": [x * width, y * height, w * width, h * height], "iscrowd": 0}
    if row.polygon:
        sides = (width, height)
        found["segmentation"] = [[value * sides[n % 2] for n, value in enumerate(row.polygon)]]
    if row.keypoints:
        scale = (width, height, 1)
        found["keypoints"] = [value * scale[n % 3] for n, value in enumerate(row.keypoints)]
        found["num_keypoints"] = sum(visible > 0 for visible in row.keypoints[2::3])
    return found
