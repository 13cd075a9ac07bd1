"""YOLO labels: a text file an image, a line an object, in shares of the image's width and height.

``class cx cy w h``, perhaps with a confidence behind it, or ``class x1 y1 x2 y2 x3 y3 ...``, a
polygon, of which the box is taken. Classes count from 0, and become category ids from 1 on.
"""

import os
from collections import Counter
from functools import partial
from pathlib import Path

from d2freq.data.convert.class_names import find_names, read_names
from d2freq.data.convert.images_to_coco import NO_LABELS, convert_images, image_result
from d2freq.data.convert.label_files import Pair, pair_files, read_lines, read_number
from d2freq.errors import UserError

CONFIDENCE = "confidences (a sixth number) left out"
POLYGON = "polygons of which the box is taken"
LARGEST = 2.0  # a share beyond it is a pixel
NAMES = ("data.yaml", "data.yml", "classes.txt", "obj.names", "labels/classes.txt")


def convert_yolo(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    split: str = "",
    names: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of YOLO labels; ``file_name`` counts from ``source/images/<split>``.

    Args:
        source: holds ``images`` and ``labels``, parallel trees; or images and labels side by side.
        split: the folder in both that is converted; "" takes all.
        names: as in ``read_names``; without it the data.yaml or classes.txt in ``source``, or in
            the folder above, which is where exports with a folder a split have it.

    Values a bit outside of [0, 1] are kept as they are and counted as boxes over the border.

    Raises:
        UserError: no images, no class names.
        FailedItems: a label file without image, an unreadable image, a line of another form, a
            class without a name, values that are no shares; all such files are listed.
    """
    root = Path(source)
    images = root / "images" if (root / "images").is_dir() else root
    labels = root / "labels" if (root / "labels").is_dir() else images
    above = root.resolve().parent
    classes = (
        read_names(names)
        if names
        else find_names([folder / name for folder in (root, above) for name in NAMES])
    )
    known = {"classes", "obj"}  # lists of classes that labelling tools leave among the labels
    pairs = [
        pair
        for pair in pair_files(images / split, labels / split, ".txt")
        if pair.image or Path(pair.label).stem not in known
    ]
    return convert_images(
        output,
        partial(_convert, names=classes),
        [pair.item() for pair in pairs],
        key={"format": "yolo", "source": os.path.abspath(root), "split": split, "names": classes},
        names=classes,
        description=f"YOLO labels of {root.resolve().name}",
        workers=workers,
        progress=progress,
    )


def _convert(pair: Pair, *, names: list[str]) -> dict:
    image = pair.image_record()
    notes: Counter[str] = Counter()
    if not pair.label:
        notes[NO_LABELS] += 1
    boxes = []
    for place, text in read_lines(pair.label) if pair.label else ():
        number, *values = (read_number(word, place) for word in text.split())
        if number not in range(len(names)):
            raise UserError(f"{place}: class {number}, known are 0 to {len(names) - 1}")
        x, y, w, h = _share_box(values, place, notes)
        if max(map(abs, values)) > LARGEST:
            raise UserError(
                f"{place}: {text!r} are no shares of width and height (from 0 to 1); divide pixels "
                "by the size of the image"
            )
        width, height = image["width"], image["height"]
        bbox = [x * width, y * height, w * width, h * height]
        boxes.append({"category": names[int(number)], "bbox": bbox, "iscrowd": 0})
    return image_result(image, boxes, notes)


def _share_box(values: list[float], place: str, notes: Counter[str]) -> tuple[float, ...]:
    """(left, top, width, height) in shares of the image."""
    if len(values) == 5:
        notes[CONFIDENCE] += 1
        values.pop()
    if len(values) == 4:
        cx, cy, w, h = values
        return cx - w / 2, cy - h / 2, w, h
    if len(values) < 6 or len(values) % 2:
        raise UserError(
            f"{place}: {len(values) + 1} numbers, expected class cx cy w h, perhaps with a "
            "confidence, or class and the corners of a polygon"
        )
    notes[POLYGON] += 1
    xs, ys = values[::2], values[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
