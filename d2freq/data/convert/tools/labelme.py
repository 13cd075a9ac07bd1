"""labelme: a JSON file an image, with shapes in pixels.

Shapes that share label and ``group_id`` are one object, as labelme's own export to COCO has it.
X-AnyLabeling writes the same with boxes of four corners, ``rotation`` and ``difficult``.
"""

import base64
import io
import math
import os
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from d2freq.data.coco.read import parse
from d2freq.data.convert.label_files import find_files
from d2freq.data.convert.recognise import hint
from d2freq.data.convert.tools import shapes
from d2freq.data.convert.tools.records import Found, Record, convert_records, label_of
from d2freq.errors import UserError
from d2freq.utils.names import PICTURES

STRANGERS = "JSON files that are not labelme's left out"
JOINED = "shapes joined with others of their group_id to one object"
KINDS_LEFT_OUT = {"point": "point", "points": "point", "line": "line", "linestrip": "line"}
FLAGS = ("difficult", "occluded", "truncated")  # of shapes, as in Pascal VOC


def convert_labelme(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    images: str | None = None,
    names: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of labelme's files.

    ``flags`` and ``description`` stay as ``attributes`` and ``description``; shapes marked
    ``difficult`` become ``iscrowd: 1``, as in Pascal VOC.

    Args:
        source: a folder of JSON files, with all below it, or one of them.
        images: the folder of the images; without it the folder of the JSON files.
        names: as in ``read_names``; without it the labels found, sorted.

    Raises:
        UserError: no file of labelme's.
        FailedItems: see ``convert_records``.
    """
    root = Path(source)
    single = root.is_file()
    found = [root] if single else [root / p for p in find_files(root, (".json",)).values()]
    records, strangers = [], 0
    for file in found:
        content = parse(file)
        if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
            strangers += 1
            continue
        records.append(_record(file, content))
    if not records:
        raise UserError(f"{root}: no file of labelme's (an object with 'shapes'){hint(root)}")
    return convert_records(
        records,
        output,
        read_shapes,
        source=source,
        tool="labelme",
        images=images or (root.parent if single else root),
        names=names,
        notes=Counter({STRANGERS: strangers}),
        workers=workers,
        progress=progress,
    )


def _record(file: Path, content: dict) -> Record:
    size = (content.get("imageWidth"), content.get("imageHeight"))
    stated = size if all(isinstance(side, int) and side > 0 for side in size) else None
    # the path is seen from the JSON file, wherever it lay; without one the names are the same
    name = str(content.get("imagePath") or "") or _beside(file)
    beside = Path(os.path.normpath(file.parent / name.replace("\\", "/")))
    kept = {"shapes": content["shapes"], "flags": content.get("flags") or {}}
    path = (
        str(beside) if beside.is_file() else str(file.parent / Path(name.replace("\\", "/")).name)
    )
    return Record(path, str(file), kept, stated, str(file))  # type: ignore[arg-type]


def _beside(file: Path) -> str:
    """The image of the same name as a JSON file that does not name one."""
    there = (file.with_suffix(s) for suffix in PICTURES for s in (suffix, suffix.upper()))
    return next((path.name for path in there if path.is_file()), f"{file.stem}.jpg")


def read_shapes(record: Record, size: tuple[int, int]) -> Found:
    """The objects of one file."""
    notes: Counter[str] = Counter()
    groups: dict[tuple, list[dict]] = {}
    boxes: list[dict] = []
    for number, shape in enumerate(record.content["shapes"], start=1):
        place = f"{record.place}, shape {number}"
        if not isinstance(shape, dict):
            raise UserError(f"{place}: {shape!r} is no shape; correct the record")
        kind = shape.get("shape_type") or "polygon"  # old versions knew no other
        if kind in KINDS_LEFT_OUT:
            notes[shapes.LEFT_OUT[KINDS_LEFT_OUT[kind]]] += 1
            continue
        found = _geometry(shape, kind, size, place, notes)
        if found is None:
            continue
        box = {"category": label_of(shape.get("label"), place), **found, **_about(shape)}
        group = shape.get("group_id")
        key = (box["category"], group)
        if group is not None and kind == "polygon" and key in groups:
            notes[JOINED] += 1
            groups[key].append(box)
            continue
        if group is not None and kind == "polygon":
            groups[key] = [box]
        boxes.append(box)
    for parts in groups.values():
        if len(parts) > 1:
            rings = [ring for part in parts for ring in part.get("segmentation", [])]
            corners = [(x, y) for x, y, _, _ in (part["bbox"] for part in parts)]
            ends = [(x + w, y + h) for x, y, w, h in (part["bbox"] for part in parts)]
            parts[0].update(shapes.polygons([[*corners, *ends]]), segmentation=rings)
    image = {"flags": record.content["flags"]} if record.content["flags"] else {}
    return Found(boxes, image, notes)


def _geometry(
    shape: dict, kind: str, size: tuple[int, int], place: str, notes: Counter[str]
) -> dict | None:
    points = shapes.points(shape.get("points"), place)  # type: ignore[arg-type]
    if kind == "mask":
        found = _mask(shape, points, size, place)
        notes["masks without a pixel left out"] += found is None
        return found
    if kind == "circle":
        (cx, cy), (x, y) = points[0], points[-1]
        notes[shapes.ROUND] += 1
        radius = math.hypot(x - cx, y - cy)
        return shapes.ellipse(cx, cy, radius, radius)
    if kind == "rectangle":
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return shapes.rectangle(min(xs), min(ys), max(xs), max(ys))
    if kind in ("polygon", "rotation"):
        notes[shapes.THIN] += len(points) < 3
        return shapes.polygons([points])
    raise UserError(f"{place}: shape_type {kind!r} is unknown; draw it as a polygon or rectangle")


def _mask(
    shape: dict, points: list[tuple[float, float]], size: tuple[int, int], place: str
) -> dict | None:
    """A mask is a PNG of the box between two points."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as image:
            drawn = image if image.mode in ("1", "L", "P") else image.convert("L")
            inside = np.asarray(drawn) > 0
    except Exception as error:  # base64 and Pillow raise many kinds on broken text
        raise UserError(f"{place}: its mask is no PNG ({error}); draw it again") from error
    left, top = round(points[0][0]), round(points[0][1])
    return shapes.mask(inside, left, top, size)


def _about(shape: dict) -> dict:
    about: dict = {flag: int(bool(shape[flag])) for flag in FLAGS if shape.get(flag) is not None}
    if about.get("difficult"):
        about["iscrowd"] = 1
    # a flag that is set belongs to the shape; tools write those that are not, too
    attributes = {**(shape.get("attributes") or {}), **(shape.get("flags") or {})}
    kept = {"attributes": attributes, "description": shape.get("description")}
    kept["group_id"] = shape.get("group_id")
    return {**about, **{key: value for key, value in kept.items() if value not in (None, "", {})}}
