"""Label Studio: exports as JSON or JSON_MIN, with regions in percent of the image.

x and y are the left upper corner, about which a turned box is turned. Images go by the address from
which Label Studio serves them: an upload has eight letters and a dash before its name.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from d2freq.data.coco.read import parse
from d2freq.data.convert.recognise import hint
from d2freq.data.convert.tools import shapes
from d2freq.data.convert.tools.addresses import (
    address_of,
    looks_like_image,
    name_of,
    without_prefix,
)
from d2freq.data.convert.tools.brush import brush_mask
from d2freq.data.convert.tools.records import Found, Record, convert_records, label_of
from d2freq.errors import UserError
from d2freq.utils.names import PICTURES, NameIndex, files_below

GEOMETRY = ("rectangle", "polygon", "ellipse", "brush", "keypoint")
KINDS_LEFT_OUT = {"keypoint": "point", "vector": "line"}
PREDICTIONS = "predictions left out: they are not what a person has drawn"
OTHERS = "annotations of the same image by others left out; the last is taken"
SKIPPED = "images that nobody has labelled, or that were skipped, left out"
SEVERAL = "regions of several classes, a box for each"
RELATIONS = "relations left out"
UNKNOWN = "results left out that are neither a shape nor said of one: videos, texts, sounds"
LARGEST = 200.0  # percent: what is larger is a pixel
BEYOND = 101.0  # percent: what begins there lies outside of its image, whatever was rounded
MIN_KEYS = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time")


def convert_label_studio(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    images: str | None = None,
    names: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of a Label Studio export.

    Polygons, turned boxes and brushed masks stay as ``segmentation``; what was chosen or written
    for a region becomes ``attributes`` by the name of its control, for an image likewise.

    Args:
        source: the export, JSON or JSON_MIN.
        images: the folder of the images; without it sizes are those of the regions, and an image
            without any has none.
        names: as in ``read_names``; without it the labels found, sorted.

    Raises:
        UserError: another file, or an image twice.
        FailedItems: see ``convert_records``.
    """
    path = Path(source)
    content = parse(path)
    if isinstance(content, dict) and isinstance(content.get("data"), dict):
        content = [content]  # one task, as the API gives it
    if not isinstance(content, list) or not content or not all(map(_is_task, content)):
        raise UserError(f"{path}: no JSON export of Label Studio's{hint(path)}")
    notes: Counter[str] = Counter()
    records = []
    for number, task in enumerate(content):
        place = f"{path}, task {task.get('id', number)}"
        results = _results(task, notes, place)
        if results is None:
            notes[SKIPPED] += 1
            continue
        address = address_of(task, place)
        name = name_of(address)
        # what is no region is told when it is read, with its number
        sizes = {_stated(region) for region in results if isinstance(region, dict)} - {None}
        size = next(iter(sizes)) if len(sizes) == 1 else None
        content_of = {"results": results}
        records.append(Record(name, f"{place} ({name})", content_of, size, str(path), shares=True))
    if images:
        there = NameIndex(files_below(images, PICTURES))
        records = [without_prefix(record, there) for record in records]
    return convert_records(
        records,
        output,
        read_regions,
        source=path,
        tool="labelstudio",
        images=images,
        names=names,
        notes=notes,
        workers=workers,
        progress=progress,
    )


def _is_task(task: object) -> bool:
    if not isinstance(task, dict):
        return False
    if isinstance(task.get("data"), dict):
        return True
    return any(isinstance(v, str) and looks_like_image(v) for v in task.values())


def _results(task: dict, notes: Counter[str], place: str) -> list[dict] | None:
    """The regions that count; None where the image was skipped."""
    if not isinstance(task.get("data"), dict):
        return _of_min(task)
    drawn = task.get("annotations", task.get("completions")) or []
    guesses = task.get("predictions")  # some exports have their number alone
    notes[PREDICTIONS] += len(guesses) if isinstance(guesses, list) else 0
    if not all(isinstance(a, dict) and isinstance(a.get("result"), list) for a in drawn):
        raise UserError(f"{place}: annotations without result; export with all annotations")
    kept = [a for a in drawn if not a.get("was_cancelled") and not a.get("skipped")]
    if not kept:
        return None
    best = [a for a in kept if a.get("ground_truth")] or kept
    best.sort(key=lambda a: str(a.get("created_at", "")))
    notes[OTHERS] += len(kept) - 1
    return best[-1]["result"]


def _of_min(task: dict) -> list[dict]:
    """JSON_MIN has the values of each control in a list by the control's name."""
    results: list[dict] = []
    for control, values in task.items():
        if control in MIN_KEYS or not isinstance(values, list):
            continue
        for number, value in enumerate(values):
            if isinstance(value, dict):
                size = {k: value.get(k) for k in ("original_width", "original_height")}
                kind = next((k for k in value if k.endswith("labels") or k == "labels"), "")
                shape = kind.removesuffix("labels") or _guessed(value)
                about = {"from_name": control, "id": f"{control}-{number}"}
                results.append({**about, **size, "type": f"{shape}labels", "value": value})
    return results


def _guessed(value: dict) -> str:
    if "points" in value:
        return "polygon"
    return "ellipse" if "radiusX" in value else "brush" if "rle" in value else "rectangle"


def _stated(region: dict) -> tuple[int, int] | None:
    size = (region.get("original_width"), region.get("original_height"))
    return size if all(isinstance(s, int) and s > 0 for s in size) else None  # type: ignore[return-value]


def read_regions(record: Record, size: tuple[int, int]) -> Found:
    """The objects of one image: results of one id are one region, its shape and what is said."""
    notes: Counter[str] = Counter()
    regions: dict[str, list[dict]] = {}
    image: dict = {}
    for number, result in enumerate(record.content["results"], start=1):
        place = f"{record.place}, result {number}"
        if not isinstance(result, dict):
            raise UserError(f"{place}: {result!r} is no result; export again")
        if result.get("type") == "relation":
            notes[RELATIONS] += 1
        elif isinstance(result.get("value"), dict) and "id" in result:
            regions.setdefault(str(result["id"]), []).append({**result, "place": place})
        else:
            raise UserError(f"{place}: no value or id; export again")
    boxes: list[dict] = []
    for results in regions.values():
        shape = next((r for r in results if _shape_of(r)), None)
        said = {str(r.get("from_name")): _said(r) for r in results if not _is_class(r)}
        said = {key: value for key, value in said.items() if value is not None}
        if shape is None:
            image |= said
            notes[UNKNOWN] += sum(_said(r) is None for r in results)
        else:
            boxes += _boxes(shape, results, said, size, notes)
    return Found(boxes, {"attributes": image} if image else {}, notes)


def _boxes(
    shape: dict, results: list[dict], said: dict, size: tuple[int, int], notes: Counter[str]
) -> list[dict]:
    place, kind = shape["place"], _shape_of(shape)
    if kind in KINDS_LEFT_OUT:
        notes[shapes.LEFT_OUT[KINDS_LEFT_OUT[kind]]] += 1
        return []
    if shape.get("image_rotation"):
        raise UserError(
            f"{place}: drawn on the image turned by {shape['image_rotation']} degrees; turn it "
            "back in Label Studio, or turn the file and label it again"
        )
    found = _geometry(shape["value"], kind, size, place, notes)
    if found is None:
        return []
    labels = [label for r in results if _is_class(r) for label in _labels(r)]
    labels = list(dict.fromkeys(labels)) or [None]
    notes[SEVERAL] += len(labels) > 1
    meta = shape.get("meta") or {}
    attributes = {**said, **({"meta": meta} if meta else {})}
    about = {"attributes": attributes} if attributes else {}
    return [{"category": label_of(label, place), **found, **about} for label in labels]


def _geometry(
    value: dict, kind: str, size: tuple[int, int], place: str, notes: Counter[str]
) -> dict | None:
    across, down = size[0] / 100, size[1] / 100

    def number(*keys: str) -> list[float]:
        return shapes.numbers([value.get(key) for key in keys], len(keys), place)

    degrees = number("rotation")[0] if value.get("rotation") else 0.0
    if kind == "rectangle":
        x, y, w, h = number("x", "y", "width", "height")
        # a box that is turned about a corner beyond the border may lie inside
        _check_percents([x, w], [y, h], place, begin=() if degrees else (x, y))
        x, y, w, h = x * across, y * down, w * across, h * down
        return shapes.turned(x, y, w, h, degrees, (x, y))
    if kind == "ellipse":
        notes[shapes.ROUND] += 1
        cx, cy, rx, ry = number("x", "y", "radiusX", "radiusY")
        _check_percents([cx, rx], [cy, ry], place, begin=(cx, cy))
        return shapes.ellipse(cx * across, cy * down, rx * across, ry * down, degrees)
    if kind == "polygon":
        points = shapes.points(value.get("points") or (), place)
        notes[shapes.THIN] += len(points) < 3
        xs, ys = [x for x, _ in points], [y for _, y in points]
        _check_percents(xs, ys, place, begin=(min(xs), min(ys)))
        return shapes.polygons([[(x * across, y * down) for x, y in points]])
    inside = brush_mask(value.get("rle"), size, place)
    found = shapes.mask(inside, 0, 0, size)
    notes["brushed regions without a pixel left out"] += found is None
    return found


def _check_percents(
    across: Sequence[float], down: Sequence[float], place: str, *, begin: Sequence[float]
) -> None:
    """Refuse pixels: a region may reach over the border, but neither so far nor begin beyond it.

    Args:
        begin: where the region begins, or has its centre; () where that does not tell.
    """
    sides = ((across, "width"), (down, "height"))
    found = [(v, side) for values, side in sides for v in values if abs(v) > LARGEST]
    found += [(v, side) for v, (_, side) in zip(begin, sides, strict=False) if v > BEYOND]
    if not found:
        return
    worst, side = max(found, key=lambda pair: abs(pair[0]))
    raise UserError(
        f"{place}: {worst:g} is no percent of the image's {side}, which goes from 0 to 100; where "
        f"the file has pixels, write 100 * pixels / original_{side}"
    )


def _shape_of(result: dict) -> str:
    """rectangle, polygon, ...; "" of a result that says something of a shape."""
    kind = str(result.get("type", ""))
    word = kind.removesuffix("labels")
    if word in (*GEOMETRY, *KINDS_LEFT_OUT):
        return word
    value = result["value"]
    return "rectangle" if {"x", "y", "width", "height"} <= value.keys() and not kind else ""


def _is_class(result: dict) -> bool:
    return str(result.get("type", "")).endswith("labels") or bool(_shape_of(result))


def _labels(result: dict) -> list:
    value, kind = result["value"], str(result.get("type", ""))
    found = value.get(kind, value.get("labels", []))
    return found if isinstance(found, list) else [found]


def _said(result: dict) -> object:
    """What was chosen, written or rated."""
    value = result["value"]
    words = ("choices", "text", "rating", "number", "datetime", "taxonomy", "ranker")
    found = next((value[word] for word in words if word in value), None)
    return found[0] if isinstance(found, list) and len(found) == 1 else found
