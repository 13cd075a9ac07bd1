"""Read a COCO file, or say why it cannot be: where it breaks off and how much of it is whole."""

import json
import os
import re
from typing import Any

from d2freq.errors import DatasetError

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
            "images, annotations and categories"
        )
    return data


def parse(json_file: str | os.PathLike) -> object:
    """The content of any JSON file.

    Raises:
        DatasetError: it is missing, empty, cut off or no JSON; says where it breaks off.
    """
    try:
        with open(json_file, "rb") as file:
            content = file.read()
        return json.loads(content)
    except OSError as error:
        raise DatasetError(f"{json_file}: {error.strerror}") from error
    except RecursionError as error:
        raise DatasetError(f"{json_file}: nested too deeply for a COCO file") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{json_file}: not a JSON text ({error.reason})") from error
    except json.JSONDecodeError as error:
        before = error.doc[: error.pos]
        byte = len(before.encode("utf-8", "surrogatepass"))
        # an unclosed string is reported where it begins, so "near the end" is generous
        cut = "cut off" if len(error.doc) - error.pos < 200 else "broken"
        where = f"line {error.lineno} column {error.colno}, byte {byte} of {len(content)}"
        whole = ", ".join(f"{n} {key}" for key, n in count_whole_records(before).items())
        raise DatasetError(
            f"{json_file}: JSON is {cut} at {where} ({error.msg}); whole before it: "
            f"{whole or 'no record'}"
        ) from error


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
