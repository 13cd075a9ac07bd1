"""Read a COCO file, or say why it cannot be: where it breaks off and how much of it is whole.

Every JSON file that a user brings is read here, whatever its encoding. Those who read by
themselves, as Detectron2's loader and pycocotools do, take ``plain_copy``.
"""

import atexit
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from d2freq.data.convert.recognise import hint_of
from d2freq.errors import DatasetError
from d2freq.utils.text import as_text, encoding_of, is_plain, read_whole

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def read_coco(json_file: str | os.PathLike) -> dict[str, Any]:
    """The content of a COCO file; what is in it is not checked, see d2freq.data.coco.check.

    Raises:
        DatasetError: as parse, or it is no object.
    """
    data = parse(json_file)
    if not isinstance(data, dict):
        raise DatasetError(
            f"{json_file}: found a {type(data).__name__}; a COCO file is one object with the lists "
            f"images, annotations and categories{hint_of(data)}"
        )
    return data


def parse(json_file: str | os.PathLike) -> object:
    """The content of any JSON file: in UTF-8, UTF-16 or UTF-32, with a mark or without, or gzip.

    Raises:
        DatasetError: it is missing, empty, cut off, in another encoding or no JSON; says where it
            breaks off.
    """
    try:
        content = read_whole(json_file)
        text = as_text(content, json_file)
    except OSError as error:
        raise DatasetError(f"{json_file}: {error.strerror}") from error
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DatasetError(f"{json_file}: nested too deeply for a COCO file") from error
    except json.JSONDecodeError as error:
        before = error.doc[: error.pos]
        byte = len(before.encode(encoding_of(content[:4]), "surrogatepass"))
        if error.msg == "Extra data" and before.strip() and error.doc[error.pos] in "{[":
            raise DatasetError(
                f"{json_file}: a second JSON value begins at line {error.lineno} column "
                f"{error.colno}, as in files of JSON lines; write one value, with the records in a "
                "list"
            ) from error
        # an unclosed string is reported where it begins, so "near the end" is generous
        cut = "cut off" if len(error.doc) - error.pos < 200 else "broken"
        where = f"line {error.lineno} column {error.colno}, byte {byte} of {len(content)}"
        whole = ", ".join(f"{n} {key}" for key, n in count_whole_records(before).items())
        raise DatasetError(
            f"{json_file}: JSON is {cut} at {where} ({error.msg}); whole before it: "
            f"{whole or 'no record'}"
        ) from error


def plain_copy(json_file: str | os.PathLike) -> str:
    """The path of the same content in plain UTF-8: the file's own, or a copy for this process.

    Raises:
        DatasetError: as parse, where a copy is needed.
        OSError: the file cannot be opened.
    """
    path = os.path.abspath(json_file)
    if is_plain(path):
        return path
    stat = os.stat(path)
    key = (path, stat.st_mtime_ns, stat.st_size)
    if key not in _copies:
        if not _copies:
            folder = tempfile.TemporaryDirectory(prefix="d2freq-")
            atexit.register(folder.cleanup)
            _folders.append(folder)
        copy = Path(_folders[0].name) / f"{len(_copies)}-{Path(path).stem}.json"
        copy.write_text(as_text(read_whole(path), path), encoding="utf-8")
        _copies[key] = str(copy)
    return _copies[key]


_copies: dict[tuple[str, int, int], str] = {}
_folders: list[tempfile.TemporaryDirectory] = []


def count_whole_records(text: str) -> dict[str, int]:
    """Count the whole objects in each list of an object, {"images": 20, "annotations": 311}.

    Args:
        text: the beginning of a JSON text, well-formed as far as it goes.
    """
    open_brackets: list[str] = []
    counts: dict[str, int] = {}
    key = ""
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in "[{":
            open_brackets.append(token)
            if open_brackets == ["{", "["]:
                counts[key] = 0
        elif token in "]}":
            if open_brackets:
                open_brackets.pop()
            if token == "}" and open_brackets == ["{", "["]:
                counts[key] += 1
        elif open_brackets == ["{"]:
            key = token[1:-1]
    return counts
