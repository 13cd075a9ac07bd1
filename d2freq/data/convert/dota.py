"""DOTA (versions 1.0, 1.5, 2.0) to COCO: horizontal boxes of the oriented ones, cut into tiles."""

import os
from collections.abc import Sequence
from pathlib import Path

from d2freq.data.builtin import DOTA_V1, DOTA_V2
from d2freq.data.coco.faults_of_records import LABEL_LINE
from d2freq.data.coco.report import EXAMPLES
from d2freq.data.convert.dota_labels import (
    VERSIONS,
    DotaObject,
    find_dota,
    find_images,
    read_labels,
)
from d2freq.data.tiles.tile_coco import tile_coco
from d2freq.errors import DatasetError
from d2freq.utils.choices import choice
from d2freq.utils.pixels import any_size

CLASSES = {"1.0": DOTA_V1, "1.5": DOTA_V2[:16], "2.0": DOTA_V2}
MIN_VISIBLE = 0.7  # customary for DOTA: a part below this share of its object counts as difficult
DIFFICULT = ("ignore", "keep")


def convert_dota(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    version: str = "1.0",
    difficult: str = "ignore",
    labels: bool = True,
    size: tuple[int, int] = (1024, 1024),
    overlap: tuple[int, int] = (200, 200),
    scales: Sequence[float] = (1.0,),
    min_visible: float = MIN_VISIBLE,
    keep_empty: bool = True,
    image_format: str = "png",
    overwrite: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Cut the images of one split (its folder ``source``) into tiles with COCO boxes.

    The other arguments are those of read_dota and tile_coco. SET measures on tiles of 1024 pixels;
    the overlap of 200 is customary, no paper of ours states it.

    Returns:
        ``output/annotations.json``; beside it ``images`` and ``originals.json``.

    Raises:
        UserError: as read_dota and tile_coco.
    """
    data, notes = read_dota(source, version=version, difficult=difficult, labels=labels)
    return tile_coco(
        data,
        Path(source) / "images",
        output,
        size=size,
        overlap=overlap,
        scales=scales,
        min_visible=min_visible,
        keep_empty=keep_empty,
        image_format=image_format,
        info={"description": f"DOTA-v{version}", "difficult": difficult, "notes": notes},
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def read_dota(
    source: str | os.PathLike,
    *,
    version: str = "1.0",
    difficult: str = "ignore",
    labels: bool = True,
) -> tuple[dict, dict[str, int]]:
    """The COCO content of one split of DOTA, and notes on it: {sentence: count}.

    A box is the least upright one around the oriented box, whose corners stay as ``segmentation``;
    its area is width times height, as in AI-TOD, whose size ranges are applied to it. Categories
    are numbered from 1 in the published order. A ``file_name`` begins in ``source/images``.

    Args:
        difficult: what becomes of objects with this flag. "ignore": ``iscrowd: 1``, since DOTA's
            own tasks follow PASCAL VOC, where they neither count nor do harm. "keep": as any other.
            The flag itself stays as ``difficult``.
        labels: False: images alone, as of the test sets, whose labels are not published.

    Each annotation says under LABEL_LINE where it stands, for messages; tiles do not keep it.

    Raises:
        UserError: an unknown version or choice, files are missing (see find_dota), or lines are
            faulty; the first are named, all are counted.
    """
    choice(version, VERSIONS, key="version")
    choice(difficult, DIFFICULT, key="difficult")
    if labels:
        pairs, unlabelled = find_dota(source, version=version)
    else:
        pairs, unlabelled = find_images(source), []
    images: list[dict] = []
    annotations: list[dict] = []
    faults: list[str] = []
    for pair in pairs:
        with any_size():
            images.append({"id": len(images) + 1, **pair.image_record()})
        objects, wrong = read_labels(pair.label, CLASSES[version]) if pair.label else ([], [])
        faults += wrong
        for thing in objects:
            numbers = {"id": len(annotations) + 1, "image_id": len(images)}
            annotations.append(numbers | _annotation(thing, CLASSES[version], difficult))
    if faults:
        more = f"; and {len(faults) - EXAMPLES} more" if len(faults) > EXAMPLES else ""
        raise DatasetError(
            f"{len(faults)} lines are no objects of DOTA-v{version}: "
            f"{'; '.join(faults[:EXAMPLES])}{more}. Correct the lines; a class of a later version "
            f"needs --version"
        )
    categories = [{"id": k, "name": name} for k, name in enumerate(CLASSES[version], start=1)]
    fate = {"ignore": "ignored", "keep": "kept as any other"}[difficult]
    notes = {
        "images without a label file left out": len(unlabelled),
        "images whose labels were not asked for": 0 if labels else len(pairs),
        f"objects with the flag difficult, {fate}": sum(a["difficult"] for a in annotations),
    }
    data = {"images": images, "annotations": annotations, "categories": categories}
    return data, {text: count for text, count in notes.items() if count}


def _annotation(thing: DotaObject, classes: tuple[str, ...], difficult: str) -> dict:
    x, y = thing.corners[0::2], thing.corners[1::2]
    width, height = max(x) - min(x), max(y) - min(y)
    return {
        "category_id": classes.index(thing.category) + 1,
        "bbox": [min(x), min(y), width, height],
        "area": width * height,
        "iscrowd": int(difficult == "ignore" and thing.difficult),
        "segmentation": [list(thing.corners)],
        "difficult": thing.difficult,
        LABEL_LINE: thing.place,
    }
