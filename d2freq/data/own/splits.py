"""What data of one's own consists of, and the part that is kept for measuring where none is."""

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from d2freq.data.coco.check import refuse_faulty
from d2freq.data.coco.read import read_coco
from d2freq.data.coco.write import write_coco
from d2freq.errors import UserError

SHARE = 5  # one image in five is kept for measuring


class Split(NamedTuple):
    """A part of the data.

    Attributes:
        json_file: a COCO file.
        images: the folder that its ``file_name`` counts from.
    """

    json_file: Path
    images: Path


class OwnData(NamedTuple):
    """What trains and what measures.

    Attributes:
        train, val: a COCO file and its images each.
        classes: names in the order of their category ids.
        notes: what a user should know of how it was found, a sentence each.
    """

    train: Split
    val: Split
    classes: list[str]
    notes: list[str]


def split_off(whole: Split, folder: str | os.PathLike) -> tuple[Split, Split]:
    """Write ``train.json`` and ``val.json`` into ``folder``.

    One image in five measures, and at least one. The choice depends on the file names alone, so
    that the same data is split the same way again.

    Raises:
        UserError: there are fewer than two images.
        DatasetError: the file cannot be read, or is faulty: a box of an unknown image would belong
            to neither part.
    """
    data = read_coco(whole.json_file)
    refuse_faulty(data, str(whole.json_file))
    images = records_of(data, "images")
    if len(images) < 2:
        raise UserError(
            f"{whole.json_file}: {len(images)} images; training and measuring need one each"
        )
    ranked = sorted(images, key=_rank)
    kept = {id(image) for image in ranked[: -(-len(images) // SHARE)]}
    parts = []
    for name, inside in (("train", False), ("val", True)):
        chosen = [image for image in images if (id(image) in kept) == inside]
        ids = {image.get("id") for image in chosen}
        file = write_coco(
            Path(folder, f"{name}.json"),
            images=chosen,
            annotations=[a for a in records_of(data, "annotations") if a.get("image_id") in ids],
            categories=records_of(data, "categories"),
            info={"description": f"{name} part of {whole.json_file.name}"},
        )
        parts.append(Split(file, whole.images))
    return parts[0], parts[1]


def class_names(json_file: str | os.PathLike) -> list[str]:
    """Names of the categories in the order of their ids.

    Raises:
        UserError: there is no category.
        DatasetError: the file cannot be read.
    """
    categories = [c for c in records_of(read_coco(json_file), "categories") if "id" in c]
    if not categories:
        raise UserError(f"{json_file}: no categories, so nothing to learn; list them in the file")
    return [
        str(c.get("name", c["id"]))
        for c in sorted(categories, key=lambda c: _numbers_first(c["id"]))
    ]


def _numbers_first(value: Any) -> tuple[int, Any]:
    """A key that sorts numbers before texts, since both occur as ids in faulty files."""
    return (0, value) if isinstance(value, int | float) else (1, str(value))


def records_of(data: dict, key: str) -> list[dict]:
    """The objects in a list of a COCO file that is not checked yet."""
    found = data.get(key)
    return [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []


def _rank(image: dict) -> str:
    name = str(image.get("file_name", image.get("id")))
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
