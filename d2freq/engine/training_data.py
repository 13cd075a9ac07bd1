"""What a training says about its data, for those who use its weights later: names and sizes.

``classes.json`` lies beside the checkpoints, so that the folder alone is enough to search pictures,
without the data set and its catalog.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from detectron2.data import DatasetCatalog, MetadataCatalog

from d2freq.data.coco.read import read_coco
from d2freq.engine.config import Config
from d2freq.engine.tasks import task_of
from d2freq.engine.tasks.detection import Detection
from d2freq.utils.files import read_json, write_json

__all__ = [
    "FILE",
    "TrainingData",
    "as_training_data",
    "describe",
    "known_names",
    "read_training_data",
    "save",
]

FILE = "classes.json"


@dataclass(frozen=True)
class TrainingData:
    """What a detector was trained on.

    Attributes:
        classes: names in the order of their numbers, () where nobody knows them.
        picture: (width, height), medians, in pixels on disk; (0, 0) where unknown.
        objects: how many boxes.
        long_side: of the boxes, in pixels on disk: the median, and what 99 of 100 do not exceed;
            (0, 0) where unknown.
    """

    classes: tuple[str, ...] = ()
    picture: tuple[int, int] = (0, 0)
    objects: int = 0
    long_side: tuple[float, float] = (0.0, 0.0)


def describe(names: Sequence[str]) -> TrainingData:
    """Of registered data sets; sizes from those with a COCO file, crowds and empty boxes left out.

    Raises:
        DatasetError: a COCO file is missing or cut off.
    """
    contents = [read_coco(path) for path in map(_json_file, names) if path]
    images = [image for content in contents for image in content.get("images", [])]
    sides = [
        max(record["bbox"][2:])
        for content in contents
        for record in content.get("annotations", [])
        if not record.get("iscrowd") and min(record["bbox"][2:]) > 0
    ]
    width, height = (
        int(np.median([image[key] for image in images])) if images else 0
        for key in ("width", "height")
    )
    quantiles = np.quantile(sides, [0.5, 0.99]).round(2).tolist() if sides else (0.0, 0.0)
    return TrainingData(
        known_names(names), (width, height), len(sides), (quantiles[0], quantiles[1])
    )


def known_names(names: Sequence[str]) -> tuple[str, ...]:
    """The classes of the first data set that names some, () where none does."""
    for name in names:
        path = _json_file(name)
        if path and os.path.isfile(path):  # the file's order is that of the model's numbers
            categories = sorted(read_coco(path).get("categories", []), key=lambda c: c["id"])
            return tuple(str(category["name"]) for category in categories)
        if classes := MetadataCatalog.get(name).get("thing_classes"):
            return tuple(classes)
    return ()


def save(config: Config) -> Path | None:
    """Write ``classes.json`` into the output folder; None where no detector is trained."""
    names = config.train_sets()
    if not names or not isinstance(task_of(names[0]), Detection):
        return None
    return write_json(Path(config.output_dir) / FILE, asdict(describe(names)), indent=1)


def read_training_data(folder: str | os.PathLike) -> TrainingData | None:
    """What a training saved in its output folder; None where it saved nothing, as older ones."""
    content: dict[str, Any] | None = read_json(Path(folder) / FILE)
    return None if content is None else as_training_data(content)


def as_training_data(content: Mapping[str, Any]) -> TrainingData | None:
    """The fields of TrainingData as JSON has them; None where these are others."""
    if not isinstance(content.get("classes"), list):
        return None
    width, height = content.get("picture", (0, 0))
    middle, most = content.get("long_side", (0.0, 0.0))
    return TrainingData(
        tuple(map(str, content["classes"])),
        (int(width), int(height)),
        int(content.get("objects", 0)),
        (float(middle), float(most)),
    )


def _json_file(name: str) -> str:
    if name not in DatasetCatalog.list():
        return ""
    return MetadataCatalog.get(name).get("json_file") or ""
