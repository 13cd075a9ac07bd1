"""The parts of a YOLO data set, as its data.yaml names them."""

import os
from pathlib import Path

from d2freq.data.coco.read import read_coco
from d2freq.data.convert.yolo import convert_yolo
from d2freq.data.convert.yolo_layout import ABOUT, YAML, splits_of
from d2freq.data.own.splits import Split
from d2freq.errors import UserError


def find_yaml(place: Path) -> Path | None:
    """The data.yaml that ``place`` is or holds."""
    if place.is_file():
        return place if place.suffix.lower() in YAML else None
    return next((place / name for name in ABOUT if (place / name).is_file()), None)


def convert_parts(about: Path, work: str | os.PathLike) -> dict[str, Split]:
    """Write a COCO file for each part of a data.yaml: ``train``, ``val``, ``test``.

    Args:
        work: the folder for them.

    Raises:
        UserError: no YAML, no ``train`` in it, or a part that is not there.
        FailedItems: as convert_yolo.
    """
    splits = splits_of(about)
    if "train" not in splits:
        raise UserError(
            f"{about}: no 'train' in it; a YOLO data set's file has train, val and names"
        )
    found = {}
    for split in splits:
        output = Path(work, f"{split}.json")
        file = convert_yolo(about, output, split=split, progress=False)
        found[split] = Split(file, Path(read_coco(file)["info"]["images"]))
    return found
