"""One image into its tiles: read, edit, scale, cut, write. This runs in the worker processes."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from d2freq.data.coco.faults_of_records import REGION_KEYS
from d2freq.data.tiles.geometry import Window, resize_exactly, scaled_size, windows
from d2freq.data.tiles.objects import ImageObjects, cut_regions
from d2freq.errors import DatasetError
from d2freq.utils.pixels import (
    Layout,
    check_size,
    read_layout,
    read_rgb,
    read_samples,
    write_rgb,
    write_samples,
)
from d2freq.utils.pixels.write import holding_suffix

# (pixels of the original, its record, its annotations) -> pixels
Edit = Callable[[np.ndarray, dict, list[dict]], np.ndarray]
# (pixels of a tile, its record, its annotations) -> (suffix, pixels, keys of record, annotations)
Copies = Callable[
    [np.ndarray, dict, list[dict]], Iterable[tuple[str, np.ndarray, dict, list[dict]]]
]


@dataclass(frozen=True)
class TilePlan:
    """The options of tile_coco that a worker needs; ``folder`` is where the tiles go."""

    image_root: Path
    folder: Path
    size: tuple[int, int]
    overlap: tuple[int, int]
    scales: tuple[float, ...]
    min_visible: float
    keep_empty: bool
    pad: bool
    image_format: str
    edit: Edit | None
    copies: Copies | None


def cut_image(job: tuple[dict, list[dict], str], plan: TilePlan) -> dict:
    """Write the tiles of one image.

    Args:
        job: the image's record, its annotations, and how the names of its tiles begin.

    Returns:
        {"tiles": [{"record", "annotations"}], "empty": tiles left out, "masks_left_out": count};
        records lack ``id``, annotations ``image_id`` of the tile and their new ``id``.
    """
    image, annotations, stem = job
    cv2.setNumThreads(1)  # the processes share the cores
    size = int(image["width"]), int(image["height"])
    original, layout = _read(plan.image_root / image["file_name"], size, plan)
    if plan.edit is not None:
        original = plan.edit(original, image, annotations)
        if original.shape != (size[1], size[0], 3) or original.dtype != np.uint8:
            raise DatasetError(
                f"{image['file_name']}: edit gave {original.shape} {original.dtype}; it returns "
                f"uint8 pixels of the shape it was given, {(size[1], size[0], 3)}"
            )
    masked = {a["id"] for a in annotations if a.get("segmentation")}
    tiles: list[dict] = []
    empty = masks = 0
    for scale in plan.scales:
        pixels = resize_exactly(original, scale)
        objects = ImageObjects(annotations, size=size, scale=scale, min_visible=plan.min_visible)
        for window in windows(scaled_size(size, scale), plan.size, plan.overlap):
            seen = objects.seen_in(window)
            if not plan.keep_empty and all(record["iscrowd"] for record in seen):
                empty += 1
                continue
            masks += sum(a["original_id"] in masked and "segmentation" not in a for a in seen)
            suffix = plan.image_format if layout.plain else holding_suffix(original)[1:]
            record = _record(image, stem, scale, window, plan, suffix)
            crop = _crop(pixels, window, record)
            if layout.plain:
                write_rgb(plan.folder / record["file_name"], crop)
            else:
                write_samples(
                    *(plan.folder / record["file_name"], crop),
                    alpha=layout.alpha,
                    nodata=layout.nodata,
                )
            tiles.append({"record": record, "annotations": seen})
            tiles += _write_copies(crop, record, seen, plan)
    return {"tiles": tiles, "empty": empty, "masks_left_out": masks}


def stems(file_names: Sequence[str]) -> list[str]:
    """How the tiles of each image are named: its path without ending, made unique by a number."""
    plain = [Path(n).with_suffix("").as_posix().strip("/").replace("/", "_") for n in file_names]
    counts = Counter(plain)
    return [
        stem if counts[stem] == 1 else f"{stem}-{number}"
        for number, stem in enumerate(plain, start=1)
    ]


def name_function(function: Callable | None) -> str | None:
    """What tells one ``edit`` or ``copies`` from another, the same in each run."""
    if isinstance(function, partial):
        values = [*map(repr, function.args)]
        values += [f"{key}={value!r}" for key, value in sorted(function.keywords.items())]
        return f"{name_function(function.func)}({', '.join(values)})"
    return None if function is None else f"{function.__module__}.{function.__qualname__}"


def _read(path: Path, size: tuple[int, int], plan: TilePlan) -> tuple[np.ndarray, Layout]:
    """(H, W, 3) uint8 RGB, or the samples (H, W, B) of what no 8-bit RGB holds: tiles keep them."""
    layout = read_layout(path)
    if layout.plain:
        return read_rgb(path, size), layout
    if plan.image_format == "jpg":
        raise DatasetError(f"{path}: {layout}, which no JPEG holds: take --format png")
    if plan.edit is not None or plan.copies is not None:
        raise DatasetError(
            f"{path}: {layout}; this conversion paints in 8-bit RGB alone: write such pictures, or "
            "cut them with 'd2freq convert tiles', which keeps bits and bands"
        )
    values, layout = read_samples(path)
    check_size(path, values, size)
    return values, layout


def _record(
    image: dict, stem: str, scale: float, window: Window, plan: TilePlan, suffix: str
) -> dict:
    x, y = window.x, window.y
    width, height = window.width, window.height
    if plan.pad:
        width, height = plan.size
    record = {
        "file_name": f"{stem}__{scale:g}__{x}__{y}.{suffix}",
        "width": width,
        "height": height,
        "tile": {
            "image_id": image["id"],
            "file_name": image["file_name"],
            "x": x,
            "y": y,
            "scale": scale,
        },
    }
    for key in REGION_KEYS:
        if image.get(key):
            record[key] = cut_regions(image[key], window, scale)
    return record


def _crop(pixels: np.ndarray, window: Window, record: dict) -> np.ndarray:
    rows = slice(window.y, window.y + window.height)
    crop = pixels[rows, window.x : window.x + window.width]
    right, bottom = record["width"] - crop.shape[1], record["height"] - crop.shape[0]
    if right or bottom:
        return np.pad(crop, ((0, bottom), (0, right), (0, 0)))
    return np.ascontiguousarray(crop)


def _write_copies(crop: np.ndarray, record: dict, seen: list[dict], plan: TilePlan) -> list[dict]:
    made = []
    for suffix, pixels, about, annotations in (
        plan.copies(crop, record, seen) if plan.copies else ()
    ):
        name = Path(record["file_name"])
        height, width = pixels.shape[:2]
        copy = {"file_name": f"{name.stem}{suffix}{name.suffix}", "width": width, "height": height}
        write_rgb(plan.folder / copy["file_name"], pixels)
        made.append({"record": copy | about, "annotations": annotations})
    return made
