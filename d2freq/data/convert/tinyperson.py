"""TinyPerson and SeaPerson: COCO-like files with flags, cut into tiles.

Shape legend: H x W pixels of an image.

Each box has the flags ``ignore`` (crowds, reflections), ``uncertain``, ``logo`` and
``in_dense_image``. Every sea_person and earth_person is a person; what has one of the first three
flags is neither right nor wrong to find, and stands in the published training images as a patch of
the region's mean colour. Images of more than 200 boxes are dense: their labels are not reliable, so
the benchmark leaves them out of training and of the measure (TinyPerson, dataset description).
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from d2freq.data.coco.check import refuse_faulty
from d2freq.data.coco.read import read_coco
from d2freq.data.tiles.tile_coco import tile_coco
from d2freq.errors import DatasetError

PERSONS = ("sea_person", "earth_person", "person")
IGNORED = ("ignore", "uncertain", "logo")
DENSE = "in_dense_image"
CATEGORY = {"id": 1, "name": "person", "supercategory": "person"}


def convert_tinyperson(
    source: str | os.PathLike,
    images: str | os.PathLike,
    output: str | os.PathLike,
    *,
    train: bool = False,
    size: tuple[int, int] = (640, 512),
    overlap: int = 100,
    keep_dense: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write tiles, their ``annotations.json`` and the ``originals.json``; see ``tile_coco``.

    What was left out or ignored is counted in ``info["notes"]`` of the returned annotations.json.

    Args:
        source: tiny_set_train.json, tiny_set_test.json, with or without dense images, or
            rgb_train.json; not one of those that are cut already ("corner").
        images: where its ``file_name`` begin, for example tiny_set/train.
        train: erase what is ignored from the images, as in the published training images. Boxes of
            persons inside stay as they are.
        size: (width, height) of a tile: 640 x 512, for SeaPerson 640 x 640.
        overlap: of neighbours in pixels. The published test cuts by 100, training tiles by 50.
        keep_dense: keep dense images.

    Raises:
        DatasetError: ``source`` is another file, or an image is missing.
        UserError: ``output`` holds other tiles.
    """
    data, notes = merge_persons(read_coco(source), name=str(source), keep_dense=keep_dense)
    return tile_coco(
        data,
        os.fspath(images),
        os.fspath(output),
        size=size,
        overlap=(overlap, overlap),
        edit=erase_ignored if train else None,
        info={"description": f"TinyPerson, {Path(source).stem}", "notes": notes},
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def merge_persons(content: Any, *, name: str, keep_dense: bool = False) -> tuple[dict, dict]:
    """Plain COCO of one class, and what was left out or ignored, {sentence: count}.

    Ids of annotations are new, from 1 on (the source counts from 0, which COCO's matching takes
    for "no match"). Flags are kept; ``ignore`` goes by ``source_ignore``, as Detectron2's loader
    refuses its own name. Polygons are left out: they are the boxes' corners.

    Raises:
        DatasetError: the file, ``name`` in the message, is faulty or another one.
    """
    refuse_faulty(content, name)
    if any("corner" in image for image in content["images"]):
        raise DatasetError(
            f"{name}: its images are cut already (they have 'corner'); give the file of the whole "
            "images, as tiny_set_train.json"
        )
    names = {category["id"]: category["name"] for category in content["categories"]}
    strangers = sorted(set(names.values()) - set(PERSONS))
    if strangers:
        raise DatasetError(f"{name}: category {strangers[0]}; expected {', '.join(PERSONS)}")
    flagged = {a["image_id"] for a in content["annotations"] if a.get(DENSE)}
    dense = set() if keep_dense else flagged
    annotations: list[dict] = []
    for number, annotation in enumerate(content["annotations"], start=1):
        if annotation["image_id"] not in dense:
            annotations.append(_person(annotation, number))
    images = [image for image in content["images"] if image["id"] not in dense]
    notes = {f"{flag} boxes (iscrowd)": _count(annotations, _own_name(flag)) for flag in IGNORED}
    notes |= {
        "dense images left out": len(content["images"]) - len(images),
        "boxes in dense images left out": len(content["annotations"]) - len(annotations),
    }
    data = {"images": images, "annotations": annotations, "categories": [CATEGORY]}
    return data, {sentence: count for sentence, count in notes.items() if count}


def erase_ignored(pixels: np.ndarray, image: dict, annotations: list[dict]) -> np.ndarray:
    """Fill the ignored boxes with their own mean; the boxes of persons are put back.

    Args:
        pixels: (H, W, 3) uint8.
        annotations: of ``image``, with ``iscrowd``.

    Returns:
        (H, W, 3) uint8, new.
    """
    erased = pixels.copy()
    for crowd in (True, False):
        for annotation in annotations:
            if bool(annotation["iscrowd"]) == crowd:
                region = _window(annotation["bbox"], *pixels.shape[:2])
                if pixels[region].size:
                    patch = pixels[region]
                    erased[region] = patch.mean(axis=(0, 1)).round() if crowd else patch
    return erased


def _window(bbox: list[float], height: int, width: int) -> tuple[slice, slice]:
    """Every pixel that the box touches."""
    x, y, w, h = bbox
    left, top = max(0, int(np.floor(x))), max(0, int(np.floor(y)))
    right, bottom = min(width, int(np.ceil(x + w))), min(height, int(np.ceil(y + h)))
    return slice(top, max(top, bottom)), slice(left, max(left, right))


def _person(annotation: dict, number: int) -> dict:
    _, _, w, h = annotation["bbox"]
    rest = {_own_name(k): v for k, v in annotation.items() if k != "segmentation"}
    crowd = any(annotation.get(flag) for flag in IGNORED) or annotation.get("iscrowd")
    own = {"id": number, "category_id": CATEGORY["id"], "area": w * h, "iscrowd": int(bool(crowd))}
    return {**rest, **own}


def _own_name(flag: str) -> str:
    return "source_ignore" if flag == "ignore" else flag


def _count(annotations: list[dict], flag: str) -> int:
    return sum(bool(annotation.get(flag)) for annotation in annotations)
