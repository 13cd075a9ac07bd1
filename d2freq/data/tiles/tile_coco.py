"""Cut a COCO data set into overlapping tiles, with an index back to the originals.

The result is a folder: ``images``, ``annotations.json`` of the tiles and ``originals.json``, the
ground truth of the uncut images. A tile's record carries ``"tile": {image_id, file_name, x, y,
scale}``; its point (u, v) is ((u + x) / scale, (v + y) / scale) of that image.
"""

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from d2freq.data.coco.check import refuse_faulty
from d2freq.data.coco.faults_of_records import LABEL_LINE
from d2freq.data.coco.near_names import near_hint
from d2freq.data.coco.read import read_coco
from d2freq.data.coco.write import write_coco
from d2freq.data.tiles.counts import count_tiles
from d2freq.data.tiles.geometry import origins, scaled_size
from d2freq.data.tiles.one_image import Copies, Edit, TilePlan, cut_image, name_function, stems
from d2freq.errors import DatasetError, UserError
from d2freq.utils.choices import choice
from d2freq.utils.jobs import Item, Job, parts_of, read_key
from d2freq.utils.pixels import FORMATS

logger = logging.getLogger(__name__)

ANNOTATIONS, ORIGINALS, IMAGES = "annotations.json", "originals.json", "images"


def tile_coco(
    coco: dict | str | os.PathLike,
    image_root: str | os.PathLike,
    output: str | os.PathLike,
    *,
    size: tuple[int, int] = (1024, 1024),
    overlap: tuple[int, int] = (200, 200),
    scales: Sequence[float] = (1.0,),
    min_visible: float = 0.3,
    keep_empty: bool = True,
    pad: bool = False,
    image_format: str = "png",
    edit: Edit | None = None,
    copies: Copies | None = None,
    info: dict | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Cut every image into tiles that cover each of its pixels; the last ones are shifted inward.

    Each image is read once, by one process, which then holds that image alone. Interrupted, the
    same call goes on; it starts anew where ``coco`` or an option changed.

    Args:
        coco: a COCO file or its content. Boxes that nothing can overlap (empty, negative, outside
            of their image) are left out with a warning. ``ignore: 1`` becomes ``iscrowd: 1``.
        image_root: where its ``file_name`` begin. Pictures of more bits or
            bands keep them in their tiles, as PNG or TIFF; see d2freq.utils.pixels.
        output: the folder to write.
        size: (width, height) of a tile in pixels. A smaller image is one tile of its own size.
        overlap: of neighbours, (horizontal, vertical) in pixels. An object up to this size is whole
            in at least one tile.
        scales: factors by which each image is resized before it is cut, each giving its own tiles.
        min_visible: where less than this share of an object's area is in a tile, it is
            ``iscrowd: 1`` there: neither trained on nor counted.
        keep_empty: keep tiles without an object that counts. Training filters them by itself;
            measuring on the originals needs them.
        pad: fill smaller images with black up to ``size``.
        image_format: "png" (exact) or "jpg" (quality 95 with full chroma, a quarter of the bytes).
        edit: picklable ``edit(pixels, image_record, annotations) -> pixels`` on the original, RGB
            (H, W, 3) uint8, before it is scaled and cut.
        copies: picklable ``copies(pixels, tile_record, annotations)`` that yields further images
            made of a tile: (suffix of the name, pixels, {"copy": what was done}, annotations).
            They have no way back to the original, hence no ``"tile"``.
        info: joins what ``annotations.json`` says of itself.
        overwrite: remove what ``output`` holds of other tiles instead of refusing.
        workers: processes, by default one a core. The bytes do not depend on it.

    Returns:
        the path of ``annotations.json``. Its ``info["counts"]`` says what was cut and left out;
        ``counts.describe_tiles`` puts it into words.

    Raises:
        DatasetError: ``coco`` is faulty, or an image is missing, unreadable or of another size.
        UserError: an option is out of range, or ``output`` holds other tiles.
    """
    plan = TilePlan(
        image_root=Path(image_root),
        folder=Path(output) / IMAGES,
        size=(int(size[0]), int(size[1])),
        overlap=(int(overlap[0]), int(overlap[1])),
        scales=tuple(map(float, scales)),
        min_visible=float(min_visible),
        keep_empty=keep_empty,
        pad=pad,
        image_format=image_format,
        edit=edit,
        copies=copies,
    )
    _check(plan)
    if isinstance(coco, dict):
        data, left_out = _clean(coco, "the COCO data")
    else:
        data, left_out = _clean(read_coco(coco), str(coco))
    options = {
        "size": list(plan.size),
        "overlap": list(plan.overlap),
        "scales": list(plan.scales),
        "min_visible": plan.min_visible,
        "keep_empty": keep_empty,
        "pad": pad,
        "image_format": image_format,
        "edit": name_function(edit),
        "copies": name_function(copies),
    }
    names = [image["file_name"] for image in data["images"]]
    if hint := near_hint(names, plan.image_root, "GT.json" if isinstance(coco, dict) else coco):
        raise DatasetError(hint)
    content = sha256(json.dumps([data, info]).encode()).hexdigest()
    key = {"images": str(plan.image_root.absolute()), "coco": content, **options}
    items = _items(data, plan.image_root)
    _make_room(plan.folder, key, overwrite=overwrite)
    with Job(parts_of(output), key=key) as job:
        results = job.run(
            partial(cut_image, plan=plan),
            items,
            workers=workers,
            intact=partial(_has_files, plan.folder),
            label="tiles",
            progress=progress,
        )
        images, annotations = _number(results)
        counts = count_tiles(data, results, annotations) | {"faulty_boxes_left_out": left_out}
        about = {**(info or {}), "tiles": options, "counts": counts}
        write_coco(plan.folder.with_name(ORIGINALS), **data)
        categories = data["categories"]
        file = plan.folder.with_name(ANNOTATIONS)
        write_coco(file, images=images, annotations=annotations, categories=categories, info=about)
    return file


def _check(plan: TilePlan) -> None:
    if min(plan.size) < 1:
        raise UserError(f"size {plan.size}: a tile has at least one pixel")
    for side, overlap in zip(plan.size, plan.overlap, strict=True):
        origins(1, side, overlap)
    if not plan.scales or len(set(plan.scales)) < len(plan.scales):
        raise UserError(f"scales {plan.scales}: give each scale once, at least one")
    for scale in plan.scales:
        scaled_size((1, 1), scale)
    if not 0 <= plan.min_visible <= 1:
        raise UserError(f"min_visible {plan.min_visible}: a share is from 0 to 1")
    choice(plan.image_format, FORMATS, key="format")


def _clean(data: dict, name: str) -> tuple[dict, int]:
    """Images, annotations and categories without what no tile can show, and how many were left."""
    boxes, report = refuse_faulty(data, name)
    if report.repairs:
        logger.warning(report.warning())
    again = [n for n, k in Counter(i["file_name"] for i in data["images"]).items() if k > 1]
    if again:
        raise DatasetError(f"{name}: {again[0]} has several image records; keep one of them")
    annotations = [
        _without_ignore(annotation) if ignored else {"iscrowd": 0, **_without_line(annotation)}
        for annotation, ignored, keep in zip(
            data["annotations"], boxes.ignore, boxes.keep, strict=True
        )
        if keep
    ]
    clean = {"annotations": annotations}
    clean |= {key: data[key] for key in ("images", "categories")}
    return clean, int((~boxes.keep).sum())


def _without_line(annotation: dict) -> dict:
    return {key: value for key, value in annotation.items() if key != LABEL_LINE}


def _without_ignore(annotation: dict) -> dict:
    # under its own name Detectron2's loader would refuse it
    rest = {key: value for key, value in _without_line(annotation).items() if key != "ignore"}
    return {**rest, "iscrowd": 1, "source_ignore": 1}


def _items(data: dict, image_root: Path) -> list[Item]:
    objects: dict[int, list[dict]] = {image["id"]: [] for image in data["images"]}
    for annotation in data["annotations"]:
        objects[annotation["image_id"]].append(annotation)
    names = stems([image["file_name"] for image in data["images"]])
    return [
        Item(
            name=image["file_name"],
            argument=(image, objects[image["id"]], stem),
            sources=(image_root / image["file_name"],),
        )
        for image, stem in zip(data["images"], names, strict=True)
    ]


def _make_room(folder: Path, key: dict, *, overwrite: bool) -> None:
    """Keep the tiles of an interrupted run with the same key; refuse or remove others."""
    if read_key(parts_of(folder.parent)) != key and folder.is_dir() and any(folder.iterdir()):
        if not overwrite:
            raise UserError(
                f"{folder.parent} holds tiles already, finished or of other options; choose "
                "another --output, or pass --overwrite"
            )
        shutil.rmtree(folder)
        for name in (ANNOTATIONS, ORIGINALS):
            folder.with_name(name).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)


def _has_files(folder: Path, _: object, result: dict) -> bool:
    return all((folder / tile["record"]["file_name"]).is_file() for tile in result["tiles"])


def _number(results: Sequence[dict]) -> tuple[list[dict], list[dict]]:
    images: list[dict] = []
    annotations: list[dict] = []
    for result in results:
        for tile in result["tiles"]:
            images.append({"id": len(images) + 1, **tile["record"]})
            for record in tile["annotations"]:
                numbers = {"id": len(annotations) + 1, "image_id": len(images)}
                annotations.append({**record, **numbers})
    return images, annotations
