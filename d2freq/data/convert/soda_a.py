"""SODA-A: aerial images with a JSON file each, oriented boxes by their corners.

A file has ``annotations`` with ``poly``, x and y in turn, and ``category_id`` from 0 on; the class
behind the nine, "ignore", marks regions that excuse detections.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from d2freq.data.builtin import SODA_A
from d2freq.data.coco.faults_of_records import REGION_KEYS
from d2freq.data.coco.read import parse
from d2freq.data.convert.images_to_coco import EMPTY, convert_images, image_result
from d2freq.data.convert.label_files import Pair, find_files
from d2freq.data.convert.recognise import hint
from d2freq.data.convert.tools import shapes
from d2freq.errors import UserError
from d2freq.utils.names import PICTURES

IGNORE = len(SODA_A)  # the number of the class behind the nine
NO_FILE = "images without a JSON file left out, as those of other splits are"


def convert_soda_a(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    images: str | os.PathLike,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of a split: horizontal boxes, the oriented ones as ``segmentation``.

    Objects of the class "ignore" become ``ignore_regions`` of their image.

    Args:
        source: the folder of the split's JSON files, ``Annotations/train``.
        images: the folder of the images of all splits.

    Raises:
        UserError: no JSON file, or no image.
        FailedItems: files without image, of another form, or of an unknown class; all are listed.
    """
    labels = find_files(source, (".json",))
    if not labels:
        raise UserError(f"{source}: no JSON file there{hint(source)}")
    pictures = {Path(stem).name: path for stem, path in find_files(images, PICTURES).items()}
    pairs = [
        Pair(str(images), pictures.get(Path(stem).name, ""), os.path.join(source, path))
        for stem, path in labels.items()
    ]
    bare = len(pictures.keys() - {Path(stem).name for stem in labels})
    return convert_images(
        output,
        _convert,
        [pair.item() for pair in pairs],
        key={"format": "soda-a", "source": os.path.abspath(source), "images": str(images)},
        names=SODA_A,
        description=f"SODA-A, {Path(source).resolve().name}",
        notes=Counter({NO_FILE: bare}),
        workers=workers,
        progress=progress,
    )


def _convert(pair: Pair) -> dict:
    image: dict[str, Any] = pair.image_record()
    content = parse(pair.label)
    entries = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise UserError(f"{pair.label}: no file of SODA-A's, an object with annotations")
    notes: Counter[str] = Counter()
    boxes, regions = [], []
    for number, entry in enumerate(entries):
        place = f"{pair.label}, annotation {number}"
        if not isinstance(entry, dict) or "poly" not in entry:
            raise UserError(f"{place}: no poly; correct the record{hint(pair.label)}")
        sides = shapes.numbers(entry["poly"], None, place)
        if len(sides) < 6 or len(sides) % 2:
            raise UserError(f"{place}: {len(sides)} numbers are no corners; correct the record")
        kind = entry.get("category_id")
        if type(kind) is not int or not 0 <= kind <= IGNORE:
            raise UserError(f"{place}: category_id {kind!r}, expected 0 to {IGNORE}")
        found = shapes.polygons([list(zip(sides[0::2], sides[1::2], strict=True))])
        if kind < IGNORE:
            boxes.append({"category": SODA_A[kind], **found, "iscrowd": 0})
        elif found["bbox"][2] > 0 and found["bbox"][3] > 0:
            regions.append(found["bbox"])
        else:
            notes[EMPTY] += 1
    if regions:
        image[REGION_KEYS[0]] = regions
    return image_result(image, boxes, notes)
