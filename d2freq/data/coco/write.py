"""Write a COCO file, or any JSON file, all or nothing."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from d2freq.errors import DatasetError


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


def write_json(path: str | os.PathLike, data: object) -> Path:
    """Write ``data`` as JSON without spaces, into a draft that takes the name ``path`` at the end.

    Arrays and numbers of numpy are written as lists and numbers.

    Raises:
        DatasetError: as write_coco.
    """
    target = Path(path)
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError as error:
        raise DatasetError(f"{target}: not written, {error}; correct the record") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        with open(draft, "w", encoding="ascii", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the new name on an empty file
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target


def _plain(value: object) -> object:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")
