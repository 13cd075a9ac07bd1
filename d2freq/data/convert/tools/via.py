"""VGG Image Annotator 1 and 2: a project, exported annotations as JSON, or as CSV.

Regions have attributes of the user's own making; one of them is the class.
"""

import csv
import io
import json
import math
import os
from collections import Counter
from pathlib import Path

from d2freq.data.coco.read import parse
from d2freq.data.convert.label_files import read_text
from d2freq.data.convert.recognise import hint
from d2freq.data.convert.tools import shapes
from d2freq.data.convert.tools.records import Found, Record, convert_records, label_of
from d2freq.errors import UserError

USUAL = ("class", "label", "name", "category", "type", "object", "species")
KINDS_LEFT_OUT = {"point": "point", "polyline": "line"}
COLUMNS = ("filename", "region_shape_attributes", "region_attributes")


def convert_via(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    images: str,
    class_attribute: str = "",
    names: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of a VIA project or export.

    Polygons stay as ``segmentation``, the other attributes of a region as ``attributes``, those of
    an image likewise.

    Args:
        source: via_project.json, via_export_json.json, or via_export_csv.csv.
        images: the folder of the images, whose sizes VIA's files do not state.
        class_attribute: the attribute of regions that is the class; "" takes the only one, or the
            one with a usual name. Where there are no attributes, a single one of ``names`` is it.
        names: as in ``read_names``; without it the classes found, sorted.

    Raises:
        UserError: another file, or no attribute that is the class.
        FailedItems: see ``convert_records``.
    """
    path = Path(source)
    entries = _from_csv(path) if path.suffix.lower() == ".csv" else _from_json(path)
    only = ""
    if not class_attribute:
        class_attribute, only = _class_of(entries, path, names)
    records = [
        Record(
            str(entry.get("filename", "")),
            f"{path}, {key}",
            {"entry": entry, "class": class_attribute, "only": only},
            None,
            str(path),
        )
        for key, entry in entries.items()
    ]
    return convert_records(
        records,
        output,
        read_regions,
        source=path,
        tool="via",
        images=images,
        names=names,
        options={"class": class_attribute},
        workers=workers,
        progress=progress,
    )


def _from_json(path: Path) -> dict[str, dict]:
    content = parse(path)
    if isinstance(content, dict) and {"project", "config", "file", "metadata"} <= content.keys():
        raise UserError(
            f"{path}: a project of VIA 3; export it there as COCO (Project, Export), or label in "
            "VIA 2"
        )
    if isinstance(content, dict):
        content = content.get("_via_img_metadata", content)
    if (
        not isinstance(content, dict)
        or not content
        or not all(isinstance(e, dict) and "regions" in e for e in content.values())
    ):
        raise UserError(f"{path}: no project or export of VIA 1 or 2{hint(path)}")
    return {key: {**entry, "regions": _listed(entry["regions"])} for key, entry in content.items()}


def _listed(regions: object) -> list:
    """VIA 1 numbers them by text."""
    return list(regions.values() if isinstance(regions, dict) else regions or [])  # type: ignore[call-overload]


def _from_csv(path: Path) -> dict[str, dict]:
    text = read_text(path)
    first = text.partition("\n")[0]
    # table editors of countries with decimal commas part columns by semicolons
    between = ";" if first.count(";") > first.count(",") else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=between)
    head = [name.strip().lstrip("#").strip() for name in next(rows, [])]
    if not set(COLUMNS) <= set(head):
        raise UserError(
            f"{path}: no CSV of VIA's, whose first line names {', '.join(COLUMNS)}{hint(path)}"
        )
    entries: dict[str, dict] = {}
    for row in rows:
        if not row:
            continue
        place = f"{path}, line {rows.line_num}"
        if len(row) != len(head):
            raise UserError(f"{place}: {len(row)} fields, expected {len(head)}")
        fields = dict(zip(head, row, strict=True))
        key = f"{fields['filename']}{fields.get('file_size', '')}"
        about = _object(fields.get("file_attributes", ""), place)
        entry = entries.setdefault(
            key, {"filename": fields["filename"], "file_attributes": about, "regions": []}
        )
        shape = _object(fields["region_shape_attributes"], place)
        if shape:  # images without a region have a line, too
            attributes = _object(fields["region_attributes"], place)
            entry["regions"].append({"shape_attributes": shape, "region_attributes": attributes})
    return entries


def _object(text: str, place: str) -> dict:
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise UserError(f"{place}: {text[:40]!r} is no JSON ({error.msg}); export again") from error
    if not isinstance(found, dict):
        raise UserError(f"{place}: {text[:40]!r} is no object; export again")
    return found


def _class_of(entries: dict[str, dict], path: Path, names: str | None) -> tuple[str, str]:
    """The attribute that is the class, or "" and the one class that there is."""
    used = Counter(
        key
        for entry in entries.values()
        for region in entry["regions"]
        if isinstance(region, dict)
        for key in region.get("region_attributes") or {}
    )
    if len(used) == 1:
        return next(iter(used)), ""
    usual = [key for word in USUAL for key in used if key.casefold() == word]
    if usual:
        return usual[0], ""
    if used:
        raise UserError(
            f"{path}: regions have the attributes {', '.join(sorted(used))}; say which is the "
            "class: --class-attribute NAME"
        )
    if names and "," not in names and not os.path.exists(names):
        return "", names.strip()
    if any(entry["regions"] for entry in entries.values()):
        raise UserError(f"{path}: regions have no attribute, so no class; say --names car")
    return "", ""


def read_regions(record: Record, size: tuple[int, int]) -> Found:
    """The objects of one image."""
    entry, key, only = (record.content[word] for word in ("entry", "class", "only"))
    notes: Counter[str] = Counter()
    boxes = []
    for number, region in enumerate(entry["regions"], start=1):
        place = f"{record.place}, region {number}"
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        if not isinstance(shape, dict):
            raise UserError(f"{place}: no shape_attributes; export again")
        kind = shape.get("name")
        if kind in KINDS_LEFT_OUT:
            notes[shapes.LEFT_OUT[KINDS_LEFT_OUT[kind]]] += 1
            continue
        attributes = dict(region.get("region_attributes") or {})
        category = only or _chosen(attributes.pop(key, None), place)
        about = {"attributes": attributes} if attributes else {}
        boxes.append({"category": category, **_geometry(shape, place, notes), **about})
    image = entry.get("file_attributes")
    return Found(boxes, {"attributes": image} if image else {}, notes)


def _chosen(value: object, place: str) -> str:
    """The class; of check boxes, {"car": true}, the one that is set."""
    if isinstance(value, dict):
        chosen = [name for name, on in value.items() if on]
        if len(chosen) > 1:
            raise UserError(f"{place}: classes {', '.join(chosen)} at once; leave one")
        value = chosen[0] if chosen else None
    return label_of(value, place)


def _geometry(shape: dict, place: str, notes: Counter[str]) -> dict:
    def number(*keys: str) -> list[float]:
        return shapes.numbers([shape.get(key) for key in keys], len(keys), place)

    kind = shape.get("name")
    if kind == "rect":
        x, y, w, h = number("x", "y", "width", "height")
        return shapes.rectangle(x, y, x + w, y + h)
    if kind == "circle":
        cx, cy, radius = number("cx", "cy", "r")
        notes[shapes.ROUND] += 1
        return shapes.ellipse(cx, cy, radius, radius)
    if kind == "ellipse":
        notes[shapes.ROUND] += 1
        radians = number("theta")[0] if shape.get("theta") else 0.0
        cx, cy, rx, ry = number("cx", "cy", "rx", "ry")
        return shapes.ellipse(cx, cy, rx, ry, math.degrees(radians))
    if kind == "polygon":
        xs = shapes.numbers(shape.get("all_points_x") or (), None, place)
        ys = shapes.numbers(shape.get("all_points_y") or (), None, place)
        if len(xs) != len(ys) or not xs:
            raise UserError(f"{place}: {len(xs)} x and {len(ys)} y; correct the record")
        notes[shapes.THIN] += len(xs) < 3
        return shapes.polygons([list(zip(xs, ys, strict=True))])
    raise UserError(f"{place}: shape {kind!r} is unknown; draw it as rect or polygon")
