"""Folders of images, one folder a class, as data sets in the catalog.

``imagenet_train`` and ``imagenet_val`` are registered when d2freq is imported and found when used:
``imagenet/train/<class>/<image>`` under ``$DETECTRON2_DATASETS``. Classes are numbered in the order
of their folders' names, as torchvision does it for its ImageNet weights.
"""

import logging
import os
from functools import partial
from pathlib import Path

from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.catalog import Metadata

from d2freq.data.catalog import VARIABLE, dataset_root
from d2freq.errors import DatasetError, UserError
from d2freq.utils.names import PICTURES

__all__ = [
    "EVALUATOR_TYPE",
    "class_folders",
    "register_image_folder",
    "register_image_folders",
]

logger = logging.getLogger(__name__)

EVALUATOR_TYPE = "image_folder"  # what the metadata of such a data set says
FOLDERS = {f"imagenet_{split}": f"imagenet/{split}" for split in ("train", "val")}
LAYOUT = "one folder a class, and that class's images in it"


class ImageFolderMetadata(Metadata):
    """Detectron2's metadata, with the folder and its classes looked up each time."""

    source: str

    @property
    def folder(self) -> str:
        """Path of the folder that has a folder for each class."""
        return str(dataset_root() / self.source)  # an absolute name stays as it is

    @property
    def thing_classes(self) -> list[str]:
        """Names of the classes, by number.

        Raises:
            DatasetError: there is no such folder, or no class in it.
        """
        return [path.name for path in class_folders(self.folder, self.name)]

    def as_dict(self) -> dict:
        """All attributes in a new dict, those that are looked up included."""
        looked_up: dict = {"folder": self.folder}
        if os.path.isdir(self.folder):
            looked_up["thing_classes"] = self.thing_classes
        return looked_up | super().as_dict()


def register_image_folders() -> None:
    """Register every name of FOLDERS that nobody has registered yet."""
    for name, folder in FOLDERS.items():
        if name not in DatasetCatalog.list():
            _register(name, folder)


def register_image_folder(name: str, folder: str | os.PathLike) -> None:
    """Register a folder of your own; nothing is read before the data set is used.

    The same call again changes nothing, so that it may stand in a lazy config.

    Args:
        name: a new name, for ``DATASETS.TRAIN`` and ``DATASETS.TEST``.
        folder: has a folder for each class; relative to the working directory or absolute.

    Raises:
        UserError: the name belongs to another data set.
    """
    path = os.path.abspath(folder)
    if name not in DatasetCatalog.list():
        _register(name, path)
    elif MetadataCatalog.get(name).get("source") != path:
        raise UserError(f"data set {name!r} is registered already; choose another name for {path}")


def class_folders(folder: str | os.PathLike[str], name: str) -> list[Path]:
    """The folder of each class, in the order of their numbers; hidden ones are none.

    Args:
        folder: that has them.
        name: of the data set, for the message.

    Raises:
        DatasetError: there is no such folder, or no folder in it.
    """
    entries = _entries(folder, name)
    found = [Path(entry.path) for entry in entries if entry.is_dir() and not _is_hidden(entry)]
    if not found:
        images = sum(map(_is_image, entries))
        here = f"{images} images but no folder" if images else "no folder"
        raise DatasetError(
            f"data set {name}: {folder} has {here}; needed is {LAYOUT}. Move the images into such "
            "folders, named as those of the training images"
        )
    return found


def _register(name: str, source: str) -> None:
    DatasetCatalog.register(name, partial(_load, name))
    MetadataCatalog[name] = ImageFolderMetadata(
        name=name, source=source, evaluator_type=EVALUATOR_TYPE
    )


def _load(name: str) -> list[dict]:
    """A record an image: ``file_name``, ``image_id`` "class/image", and ``label``, its number."""
    folder = MetadataCatalog.get(name).folder
    records, empty, others = [], [], []
    for label, path in enumerate(class_folders(folder, name)):
        entries = _entries(path, name)
        images = [entry for entry in entries if _is_image(entry)]
        others += [entry.path for entry in entries if not _is_image(entry)]
        if not images:
            empty.append(str(path))
        for image in images:
            image_id = f"{path.name}/{image.name}"
            records.append({"file_name": image.path, "image_id": image_id, "label": label})
    if empty:
        raise DatasetError(
            f"data set {name}: no image in {len(empty)} class folders, such as {empty[0]}. Put its "
            f"images ({', '.join(PICTURES)}) there, or remove the folder from all splits, "
            "which numbers the classes behind it anew"
        )
    if others:
        logger.warning(
            "data set %s: %d entries of class folders are left out, for they are no image files "
            "(%s), such as %s",
            *(name, len(others), ", ".join(PICTURES), others[0]),
        )
    logger.info("data set %s: %d images of %d classes", name, len(records), label + 1)
    return records


def _entries(folder: str | os.PathLike[str], name: str) -> list[os.DirEntry]:
    """What lies in a folder, in the order of names, whatever the locale."""
    try:
        with os.scandir(os.fspath(folder)) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError as error:
        raise DatasetError(
            f"data set {name}: {folder} not found; needed is {LAYOUT}, see datasets/README.md. "
            f"${VARIABLE} sets the root of all data sets (now: {dataset_root().absolute()})"
        ) from error
    except OSError as error:
        raise DatasetError(
            f"data set {name}: {folder} cannot be read: {error.strerror}. Make it readable "
            "(chmod -R u+rX)"
        ) from error


def _is_hidden(entry: os.DirEntry) -> bool:
    return entry.name.startswith(".")


def _is_image(entry: os.DirEntry) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()
    return suffix in PICTURES and entry.is_file() and not _is_hidden(entry)
