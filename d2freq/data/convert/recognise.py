"""What a file or folder of labels is, for the line that names the right command."""

import os
from collections.abc import Callable
from pathlib import Path

from d2freq.errors import UserError

HEAD = 1 << 16  # bytes that tell what a text or XML file is
FEW = 50  # files of a folder that are looked at

COMMANDS = {
    "labelme": "labelme JSON",
    "cvat": "CVAT's XML",
    "via": "a VIA file",
    "createml": "CreateML JSON",
    "labelstudio": "Label Studio JSON",
    "voc": "Pascal VOC's XML",
    "yolo": "YOLO labels",
    "coco": "a COCO file",
    "results": "detections in COCO's result format",
}


def recognise(path: str | os.PathLike) -> str:
    """The word of COMMANDS for a file, or for the first files of a folder; "" where nobody knows.

    Nothing is raised: what cannot be read is not known.
    """
    place = Path(path)
    if place.is_dir():
        for file in sorted(place.rglob("*"))[:FEW]:
            if file.is_file() and (word := recognise(file)):
                return word
        return ""
    by_suffix: dict[str, Callable[[Path], str]] = {
        ".json": _json,
        ".xml": _xml,
        ".csv": _csv,
        ".txt": _txt,
    }
    look = by_suffix.get(place.suffix.lower())
    try:
        return look(place) if look and place.is_file() else ""
    except (OSError, ValueError, UserError):
        return ""


def hint(path: str | os.PathLike) -> str:
    """``"; it is CVAT's XML: d2freq convert cvat"``, or "" where nobody knows what it is."""
    return _sentence(recognise(path))


def hint_of(content: object) -> str:
    """The same of the content of a JSON file, "" of COCO's own."""
    word = _of_content(content)
    return "" if word == "coco" else _sentence(word)


def _sentence(word: str) -> str:
    if not word:
        return ""
    command = {
        "coco": "it needs no conversion",
        "results": "'d2freq evaluate' measures them, 'd2freq convert results' converts them",
    }.get(word, f"'d2freq convert {word}' reads it")
    return f"; it looks like {COMMANDS[word]}: {command}"


def _json(path: Path) -> str:
    from d2freq.data.coco.read import parse  # which asks this module what is no COCO file

    return _of_content(parse(path))


def _of_content(content: object) -> str:
    if isinstance(content, list):
        return _of_list(content)
    return _of_object(content) if isinstance(content, dict) else ""


def _of_list(content: list) -> str:
    first = content[0] if content and isinstance(content[0], dict) else {}
    if "bbox" in first and "score" in first:
        return "results"
    if isinstance(first.get("data"), dict) or {"annotation_id", "annotator"} <= first.keys():
        return "labelstudio"
    inner = first.get("annotations", first.get("annotation"))
    if isinstance(inner, list) and ({"image", "imagefilename", "filename"} & first.keys()):
        return "createml"
    return ""


def _of_object(content: dict) -> str:
    if isinstance(content.get("shapes"), list):
        return "labelme"
    if {"images", "annotations", "categories"} <= content.keys():
        return "coco"
    entries = content.get("_via_img_metadata", content)
    if isinstance(entries, dict) and entries:
        first = next(iter(entries.values()))
        if isinstance(first, dict) and {"regions", "filename"} <= first.keys():
            return "via"
    return ""


def _xml(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if b"<annotations" in head and (b"<image " in head or b"<track " in head or b"<meta" in head):
        return "cvat"
    return "voc" if b"<annotation" in head and b"<object" in head else ""


def _csv(path: Path) -> str:
    with open(path, "rb") as file:
        return "via" if b"region_shape_attributes" in file.readline(HEAD) else ""


def _txt(path: Path) -> str:
    with open(path, encoding="utf-8") as file:
        words = file.readline(HEAD).split()
    numbers = [float(word) for word in words]  # a ValueError is no row
    return "yolo" if len(numbers) > 4 and numbers[0].is_integer() else ""
