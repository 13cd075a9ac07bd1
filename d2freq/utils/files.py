"""Files written whole or not at all: an interruption leaves the old file, or none."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from d2freq.errors import DatasetError
from d2freq.utils.text import read_text


@contextmanager
def replacing(path: str | os.PathLike, *, sync: bool = True) -> Iterator[Path]:
    """The path of a draft beside ``path``, whose name it takes when the block ends without error.

    Missing folders are made.

    Args:
        sync: wait until the disk has it, else a power cut may leave the name on an empty file.
            Without it thousands of small files, which are easily made again, take no longer.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        yield draft
        if sync:
            with open(draft, "rb") as file:
                os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str, *, sync: bool = True) -> Path:
    """Write ``text`` in UTF-8, its line ends as they are; returns ``path``."""
    with replacing(path, sync=sync) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def write_json(path: str | os.PathLike, data: object, *, indent: int | None = None) -> Path:
    """Write ``data`` as JSON and return ``path``: indented to be read, or all on one line.

    Arrays and numbers of numpy are written as lists and numbers.

    Raises:
        DatasetError: a number is NaN or infinite, which JSON cannot hold.
    """
    separators, end = ((",", ":"), "") if indent is None else (None, "\n")
    try:
        text = json.dumps(
            data, indent=indent, separators=separators, allow_nan=False, default=_plain
        )
    except ValueError as error:
        raise DatasetError(f"{path}: not written, {error}; correct the record") from error
    return write_text(path, text + end)


def read_json(path: str | os.PathLike) -> dict | None:
    """The object in a JSON file, None where the file is missing, cut off or holds no object."""
    try:
        data = json.loads(read_text(path))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return data if isinstance(data, dict) else None


def without_nan(data: Any) -> Any:
    """``data`` as JSON gives it back, with None for NaN and infinity."""
    return json.loads(json.dumps(data, default=_plain), parse_constant=lambda _: None)


def _plain(value: object) -> object:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")
