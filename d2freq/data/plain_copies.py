"""Data sets whose COCO file Detectron2's own reader cannot open: with a mark, in UTF-16, or packed.

Detectron2 and pycocotools open a file as plain UTF-8. What the one reader of d2freq can read, they
are given as a copy that they can; the data set's name and its metadata stay as they are.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from detectron2.data import DatasetCatalog, MetadataCatalog

from d2freq.data.coco.read import plain_copy

__all__ = ["load_records", "named_for_reading", "read_by_us"]

OF_DETECTRON2 = "register_coco_instances."  # how the qualified names of its loaders begin


def load_records(json_file: str, image_root: str | os.PathLike, name: str) -> list[dict]:
    """Detectron2's load_coco_json of a file in any encoding that d2freq reads.

    Raises:
        DatasetError: the file cannot be read.
    """
    from detectron2.data.datasets import load_coco_json

    return load_coco_json(plain_copy(json_file), os.fspath(image_root), name)


def read_by_us(name: str) -> None:
    """Let a data set of Detectron2's register_coco_instances be loaded by load_records.

    Data sets with a loader of their own stay as they are: only they know their format.
    """
    loader = DatasetCatalog[name]
    if not getattr(loader, "__qualname__", "").startswith(OF_DETECTRON2):
        return
    metadata = MetadataCatalog.get(name)
    DatasetCatalog.remove(name)
    ours = partial(load_records, metadata.json_file, metadata.image_root, name)
    DatasetCatalog.register(name, ours)


@contextmanager
def named_for_reading(name: str) -> Iterator[str]:
    """The name of a data set whose metadata have a ``json_file`` that pycocotools can open.

    That is ``name`` itself, but for files that need a copy, for which there is another one within
    the block.
    """
    json_file = MetadataCatalog.get(name).get("json_file")
    plain = plain_copy(json_file) if json_file and os.path.isfile(json_file) else json_file
    if not plain or plain == os.path.abspath(json_file):
        yield name
        return
    other = f"{name} as plain UTF-8"
    MetadataCatalog.get(other).set(json_file=plain)
    try:
        yield other
    finally:
        MetadataCatalog.remove(other)
