"""Detections of any detector, from the form in which it wrote them to another."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2freq.data.coco.read import read_coco
from d2freq.errors import UserError
from d2freq.evaluation.coco.detections_file import write_detections
from d2freq.evaluation.coco.guard import Detections as Rows
from d2freq.evaluation.results import read_results
from d2freq.inference.detections import Detections, Picture, PictureResult
from d2freq.inference.outputs.registry import WRITERS, write_outputs
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.utils.choices import choice

__all__ = ["FORMATS", "convert_results"]

NEGATIVE = "boxes with a negative width or height left out"
NEEDS_PICTURES = {"pictures", "report", "geojson", "geopackage"}
FORMATS = tuple(name for name in WRITERS if name not in NEEDS_PICTURES)


def convert_results(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    ground_truth: str | os.PathLike,
    formats: Sequence[str] = (),
    names: str | None = None,
) -> list[str]:
    """Write detections in other formats; lines that say what was written, and what was left out.

    Masks stay in a .json file of COCO's results alone.

    Args:
        source: whatever ``read_results`` reads.
        output: a .json file for COCO's result format, or a folder.
        ground_truth: a COCO file, whose file names, sizes, ids and class names count; it may have
            no annotations.
        formats: of FORMATS; () is COCO's for a file.
        names: of YOLO's class numbers, see ``read_results``.

    Raises:
        UserError: an unknown format, results that cannot be read, or detections on an image or of
            a class that ground truth lacks.
    """
    target = Path(output)
    to_file = target.suffix.lower() == ".json"
    for name in formats:
        choice(name, FORMATS, key="--format")
    if to_file and list(formats) not in ([], ["coco"]):
        raise UserError(f"{target}: a file holds COCO's results alone; name a folder for --format")
    if not to_file and not formats:
        raise UserError(f"{target}: a folder; say --format, one or more of {', '.join(FORMATS)}")
    found = read_results(source, ground_truth, masks=True, names=names)
    data = read_coco(ground_truth)
    categories = sorted(data["categories"], key=lambda category: category["id"])
    _check(found, data, categories, os.fspath(ground_truth))
    before = len(found)
    found = found.select(np.flatnonzero((found.xywh[:, 2:] >= 0).all(axis=1)))
    left = [f"  {before - len(found)} {NEGATIVE}"] if len(found) < before else []
    said = f"{len(found)} detections on {len(np.unique(found.image_id))} images"
    if to_file:
        write_detections(target, found)
        return [f"{target}: {said}", *left]
    run = RunInfo(
        names=tuple(str(category["name"]) for category in categories),
        category_ids=tuple(category["id"] for category in categories),
        title=Path(source).name,
    )
    written = write_outputs(_by_picture(found, data, run), target, run, formats)
    return [*(f"{path}: {said}" for path in written), *left, *_lost(found, data, formats)]


def _lost(found: Rows, data: dict, formats: Sequence[str]) -> list[str]:
    """What the formats do not hold, a line each."""
    sides = {entry["id"]: (entry["width"], entry["height"]) for entry in data["images"]}
    ends = np.array([sides[k] for k in found.image_id.tolist()], float).reshape(-1, 2)
    x, y, w, h = found.xywh.T
    over = (x < 0) | (y < 0) | (x + w > ends[:, 0]) | (y + h > ends[:, 1])
    counts = {
        "masks left out: name a .json file to keep them": 0 if found.masks is None else len(found),
        "boxes over the border of their image, cut there by yolo": over.sum() * ("yolo" in formats),
    }
    return [f"  {count} {sentence}" for sentence, count in counts.items() if count]


def _check(found: Rows, data: dict, categories: list[dict], name: str) -> None:
    finite = np.isfinite(found.xywh).all(axis=1) & np.isfinite(found.score)
    if not finite.all():
        raise UserError(
            f"detection {np.argmin(finite)} (from 0 on) has NaN or infinity in its box or score, "
            f"as {np.sum(~finite)} have; leave them out, or find what wrote them"
        )
    for what, column, entries in (
        ("image", found.image_id, data["images"]),
        ("category", found.category_id, categories),
    ):
        strange = np.setdiff1d(column, [entry["id"] for entry in entries])
        if len(strange):
            raise UserError(
                f"detections have the {what} id {strange[0]}, which {name} lacks; name the ground "
                "truth of these images and classes"
            )


def _by_picture(found: Rows, data: dict, run: RunInfo) -> list[PictureResult]:
    """Each image of ground truth with its detections, best first."""
    order = np.lexsort((-found.score, found.image_id))
    images = found.image_id[order]
    places = {number: place for place, number in enumerate(run.ids)}
    classes = np.array([places[k] for k in found.category_id.tolist()], np.int64)
    corners = np.hstack([found.xywh[:, :2], found.xywh[:, :2] + found.xywh[:, 2:]])
    results = []
    for entry in data["images"]:
        start, end = np.searchsorted(images, [entry["id"], entry["id"] + 1])
        rows = order[start:end]
        size = (entry.get("width") or 0, entry.get("height") or 0)
        name = str(entry["file_name"]).replace("\\", "/")
        if min(size) < 1:
            raise UserError(f"image {entry['id']} ({name}) has no size; 'd2freq validate' mends it")
        picture = Picture(name, name, *size, entry["id"])
        part = Detections(corners[rows], found.score[rows], classes[rows], run.names)
        results.append(PictureResult(picture, part))
    return results
