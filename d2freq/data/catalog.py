"""The data sets that d2freq knows by name; registered when d2freq is imported, found when used.

Each lies in a folder of ``$DETECTRON2_DATASETS`` (``./datasets`` without it), under one of several
names (d2freq.data.builtin). The disk is looked at when a data set, or a path in its metadata, is
asked for: what was written, or where the variable points, after the import counts. Missing files
are an error at loading that names every path tried and where to get them.
"""

import filecmp
import logging
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.catalog import Metadata

from d2freq.data.builtin import SOURCES, CocoSource
from d2freq.data.plain_copies import load_records
from d2freq.errors import DatasetError, UserError

__all__ = [
    "VARIABLE",
    "SourceMetadata",
    "dataset_root",
    "missing_files_error",
    "register_all",
    "register_coco",
]

logger = logging.getLogger(__name__)

VARIABLE = "DETECTRON2_DATASETS"


def dataset_root() -> Path:
    """``$DETECTRON2_DATASETS``, or ``datasets`` in the working directory."""
    return Path(os.path.expanduser(os.environ.get(VARIABLE) or "datasets"))


class SourceMetadata(Metadata):
    """Detectron2's metadata, with paths that are looked up each time they are asked for.

    ``json_file`` and ``image_root`` are the first names that exist, the usual names where none
    does. ``thing_classes`` is the published order until the file is loaded, then the file's own.
    """

    source: CocoSource

    @property
    def json_file(self) -> str:
        """Path of the COCO file."""
        return _first(self.source.json_files)

    @property
    def image_root(self) -> str:
        """Path of the folder of its images."""
        return _first(self.source.image_roots)

    def __getattr__(self, key: str) -> Any:  # called only where there is no such attribute
        source = vars(self).get("source")
        if key == "thing_classes" and source is not None and source.classes:
            return list(source.classes)
        if key == "originals_json" and source is not None and source.originals_json:
            return str(dataset_root() / source.originals_json)
        return super().__getattr__(key)

    def __setattr__(self, key: str, value: Any) -> None:
        if key == "thing_classes" and key not in vars(self):
            self.__dict__[key] = value  # the file's order takes the place of the published one
        else:
            super().__setattr__(key, value)

    def as_dict(self) -> dict:
        """All attributes in a new dict, those that are looked up included."""
        found = {"json_file": self.json_file, "image_root": self.image_root, **super().as_dict()}
        for key in ("thing_classes", "originals_json"):
            if hasattr(self, key):
                found[key] = getattr(self, key)
        return found


def register_all() -> None:
    """Register every data set of SOURCES that nobody has registered yet."""
    for name, source in SOURCES.items():
        if name not in DatasetCatalog.list():
            _register(name, source)


def register_coco(
    name: str,
    json_file: str | os.PathLike,
    image_root: str | os.PathLike,
    *,
    thing_classes: Sequence[str] = (),
    originals_json: str | os.PathLike = "",
) -> None:
    """Register any COCO file; nothing is read before the data set is used.

    The same call again changes nothing, so that it may stand in a lazy config, which is read more
    than once.

    Args:
        name: a new name, for ``DATASETS.TRAIN`` and ``DATASETS.TEST``.
        json_file: the annotation file, relative to the working directory or absolute.
        image_root: the folder that its file names are relative to.
        thing_classes: the expected names in the order of their category ids: known before the file
            is read, and a warning says where the file differs.
        originals_json: where the images are tiles: the COCO file of the uncut images.

    Raises:
        UserError: the name belongs to another data set.

    Examples:
        >>> from d2freq.data import register_coco
        >>> from detectron2.data import MetadataCatalog
        >>> register_coco("gulls_train", "gulls/train.json", "gulls/images", thing_classes=["gull"])
        >>> MetadataCatalog.get("gulls_train").thing_classes
        ['gull']
    """
    source = CocoSource(
        json_files=(os.path.abspath(json_file),),
        image_roots=(os.path.abspath(image_root),),
        cure="register it with the right path",
        classes=tuple(thing_classes),
        originals_json=os.path.abspath(originals_json) if originals_json else "",
    )
    if name in DatasetCatalog.list():
        known = MetadataCatalog.get(name).get("source")
        if known != source:
            where = known.json_files[0] if known else "other files"
            raise UserError(
                f"data set {name!r} is registered already with {where}; choose another name for "
                f"{source.json_files[0]}"
            )
        return
    _register(name, source)


def missing_files_error(name: str, path: str | os.PathLike) -> DatasetError:
    """The error for a missing file of data set ``name``: all names tried, and the cure."""
    source = MetadataCatalog.get(name).get("source")
    tried, cure = [os.fspath(path)], "register it with the right path"
    if source is not None:
        cure = source.cure
        for names in (source.json_files, source.image_roots):
            paths = [str(dataset_root() / other) for other in names]
            if os.fspath(path) in paths:
                tried = paths
    also = f", nor {', '.join(tried[1:])}" if len(tried) > 1 else ""
    return DatasetError(
        f"data set {name}: {tried[0]} not found{also}. Get it: {cure}. ${VARIABLE} sets the root "
        f"of all data sets (now: {dataset_root().absolute()})"
    )


def _first(names: Sequence[str]) -> str:
    paths = [str(dataset_root() / name) for name in names]  # an absolute name stays as it is
    return next((path for path in paths if os.path.exists(path)), paths[0])


def _register(name: str, source: CocoSource) -> None:
    DatasetCatalog.register(name, partial(_load, name, source))
    metadata = SourceMetadata(name=name, source=source, evaluator_type="coco")
    metadata.set(**{k: v for k, v in MetadataCatalog.get(name).as_dict().items() if k != "name"})
    MetadataCatalog[name] = metadata


def _load(name: str, source: CocoSource) -> list[dict]:
    json_file, image_root = _first(source.json_files), _first(source.image_roots)
    for path in (json_file, image_root):
        if not os.path.exists(path):
            raise missing_files_error(name, path)
    _warn_of_others(name, json_file, source)
    records = load_records(json_file, image_root, name)
    _check_classes(name, json_file, source)
    return records


def _warn_of_others(name: str, json_file: str, source: CocoSource) -> None:
    """Say which file was taken where several of different content go by the data set's names."""
    paths = [str(dataset_root() / other) for other in source.json_files]
    others = [path for path in paths if path != json_file and os.path.isfile(path)]
    others = [path for path in others if not filecmp.cmp(json_file, path, shallow=False)]
    if others:
        logger.warning(
            "data set %s: took %s; other content in %s. Remove what is not meant",
            *(name, json_file, ", ".join(others)),
        )


def _check_classes(name: str, json_file: str, source: CocoSource) -> None:
    """Compare the file's classes, in the order of their ids, with the published ones.

    Raises:
        DatasetError: there are more or fewer of them.
    """
    found = MetadataCatalog.get(name).thing_classes
    if not source.classes:
        return
    if len(found) != len(source.classes):
        raise DatasetError(
            f"{json_file}: {len(found)} categories ({', '.join(found)}), but {name} has "
            f"{len(source.classes)} ({', '.join(source.classes)}); use the published file, or "
            "register this one under a name of its own (d2freq.data.register_coco)"
        )
    if [_plain(word) for word in found] != [_plain(word) for word in source.classes]:
        logger.warning(
            "data set %s: %s lists its categories as %s, published is %s. The file's order counts: "
            "class numbers of weights trained on another file may mean other classes",
            *(name, json_file, ", ".join(found), ", ".join(source.classes)),
        )


def _plain(word: str) -> str:
    """Names are compared without case, blanks, hyphens and underscores: wind-mill is Windmill."""
    return "".join(letter for letter in word.lower() if letter.isalnum())
