"""Write a COCO file, all or nothing."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from d2freq.utils.files import write_json


def write_coco(
    path: str | os.PathLike,
    *,
    images: Sequence[Mapping],
    annotations: Sequence[Mapping],
    categories: Sequence[Mapping],
    info: Mapping | None = None,
) -> Path:
    """Write a COCO file; its folder is created, an interruption leaves the old file or none.

    Args:
        images: records with ``id``, ``file_name``, ``width``, ``height``.
        annotations: records with ``id`` from 1 on, ``image_id``, ``category_id``, ``bbox``
            (x, y, width, height in pixels), ``area`` in square pixels and ``iscrowd``.
        categories: records with ``id`` and ``name``.
        info: what the file says of itself, written first; left out where None.

    Returns:
        ``path``.

    Raises:
        DatasetError: a number is NaN or infinite, which JSON cannot hold.
    """
    head = {} if info is None else {"info": info}
    sections = {"images": images, "annotations": annotations, "categories": categories}
    return write_json(path, {**head, **sections})
