"""The data sets that d2freq knows by name; registered when d2freq is imported, loaded when used.

Each lies in a folder of ``$DETECTRON2_DATASETS`` (``./datasets`` without it). Missing files are an
error at loading that says what was looked for and where to get it.
"""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from detectron2.data import DatasetCatalog, MetadataCatalog

from d2freq.errors import DatasetError

VARIABLE = "DETECTRON2_DATASETS"


@dataclass(frozen=True)
class CocoSource:
    """Where a data set lies under the root of the data sets, and how to get it."""

    json_file: str
    image_root: str
    cure: str


_SCENES = "'d2freq generate scenes' writes it"
_KIT_AIS = (
    "it is KIT AIS (vehicles) at half resolution with COCO boxes, CC BY 3.0; datasets/README.md "
    "says where it comes from: put the folder there"
)
SOURCES = {
    "tiny_scenes_train": CocoSource(
        "tiny_scenes/annotations/train.json", "tiny_scenes/train", _SCENES
    ),
    "tiny_scenes_val": CocoSource("tiny_scenes/annotations/val.json", "tiny_scenes/val", _SCENES),
    "kit_ais_half_train": CocoSource("kit-ais-half/train.json", "kit-ais-half/images", _KIT_AIS),
    "kit_ais_half_val": CocoSource("kit-ais-half/val.json", "kit-ais-half/images", _KIT_AIS),
}


def dataset_root() -> Path:
    """``$DETECTRON2_DATASETS``, or ``datasets`` in the working directory."""
    return Path(os.path.expanduser(os.environ.get(VARIABLE) or "datasets"))


def missing_files_error(name: str, path: str | os.PathLike) -> DatasetError:
    """The error for a file of data set ``name`` that is not there."""
    source = SOURCES.get(name)
    cure = source.cure if source else "register it with the right path"
    return DatasetError(
        f"data set {name}: {path} not found. Get it: {cure}. ${VARIABLE} sets the root of all "
        f"data sets (now: {dataset_root().absolute()})"
    )


def register_all() -> None:
    """Register every data set of SOURCES that nobody has registered yet."""
    root = dataset_root()
    for name, source in SOURCES.items():
        if name in DatasetCatalog.list():
            continue
        json_file, image_root = str(root / source.json_file), str(root / source.image_root)
        DatasetCatalog.register(name, partial(_load, name, json_file, image_root))
        MetadataCatalog.get(name).set(
            json_file=json_file, image_root=image_root, evaluator_type="coco"
        )


def _load(name: str, json_file: str, image_root: str) -> list[dict]:
    from detectron2.data.datasets import load_coco_json

    for path in (json_file, image_root):
        if not os.path.exists(path):
            raise missing_files_error(name, path)
    return load_coco_json(json_file, image_root, name)
