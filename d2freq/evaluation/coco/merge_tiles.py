"""Detections on tiles, taken back to the original images and merged where tiles overlap.

N detections. Tile pixel (u, v) is ((u + x) / scale, (v + y) / scale) in the original, where x, y
and scale are those of the image record's ``tile``.

An object that a tile's border cuts is detected there in part, and whole by a neighbour where tiles
overlap by more than the object. The part survives a merge by overlap where its overlap with the
whole is not above the threshold, as less than half of the object is not above 0.5; it then counts
as a false alarm, as it does in the benchmarks that merge by NMS alone. ``drop_seams`` takes such
parts out before the merge: see d2freq.evaluation.coco.seams.
"""

import math
import os
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.coco.guard import DetectionError, Detections, GroundTruth, guard_detections
from d2freq.evaluation.coco.merge_methods import METHODS, merged
from d2freq.evaluation.coco.seams import TOUCH, seen_better
from d2freq.utils.choices import choice

MERGED_FILE = "coco_originals_results.json"  # merged detections, beside the measurement
MANY = 300_000  # detections from which on merging takes seconds and shows a progress bar


def originals_json(dataset_name: str) -> str:
    """The COCO file of the images that a registered data set's tiles were cut from.

    Raises:
        UserError: its metadata names none, or the file is not there.
    """
    from detectron2.data import MetadataCatalog

    path = MetadataCatalog.get(dataset_name).get("originals_json")
    cure = "set TEST.TINY.ORIGINALS False (originals=False) to measure on the images as they are"
    if not path:
        raise UserError(
            f"data set {dataset_name}: its metadata has no originals_json, as sets of tiles have; "
            f"add MetadataCatalog.get({dataset_name!r}).originals_json = ..., or {cure}"
        )
    if not os.path.isfile(path):
        raise UserError(f"data set {dataset_name}: originals_json {path}: no such file; {cure}")
    return path


def map_to_originals(
    detections: Detections, tiles: dict, *, name: str = "the file of the tiles"
) -> Detections:
    """The detections in pixels and image ids of the originals, in the same order.

    Args:
        tiles: a loaded COCO file whose image records have ``tile``, a dictionary with
            ``image_id``, ``x``, ``y`` and ``scale``.
        name: of that file, for errors.

    Raises:
        DatasetError: an image record is no tile.
        DetectionError: a detection is on an image that is not there.
    """
    records = [image.get("tile") for image in tiles["images"]]
    ids = [image["id"] for image in tiles["images"]]
    for image_id, tile in zip(ids, records, strict=True):
        if not _is_tile(tile):
            raise DatasetError(
                f"{name}: image {image_id} has tile {tile!r}, not a whole number image_id, numbers "
                "x and y, and a scale above 0; 'd2freq convert tiles' writes such a file"
            )
    row_of = {image_id: row for row, image_id in enumerate(ids)}
    named, index = np.unique(detections.image_id, return_inverse=True)
    strange = [image_id for image_id in named.tolist() if image_id not in row_of]
    if strange:
        raise DetectionError(
            f"detections are on {len(strange)} images that {name} does not have, for example image "
            f"{strange[0]}; merge with the tiles that they were made on"
        )
    row = np.array([row_of[image_id] for image_id in named.tolist()], np.int64)[index]
    original = np.array([tile["image_id"] for tile in records], np.int64)
    corner = np.array([[tile["x"], tile["y"]] for tile in records], np.float64).reshape(-1, 2)
    scale = np.array([tile["scale"] for tile in records], np.float64)
    xywh = detections.xywh.copy()
    xywh[:, :2] += corner[row]
    xywh /= scale[row, None]
    return replace(detections, image_id=original[row], xywh=xywh)


def merge(
    detections: Detections,
    *,
    method: str = "nms",
    iou_threshold: float = 0.5,
) -> Detections:
    """Make one detection of those that overlap, in each image and category by itself.

    Args:
        detections: finite, as the guard leaves them.
        method: "nms" keeps the best score and drops what overlaps it by more than the threshold,
            "weighted" takes the mean of such a group, "soft" lowers the scores of the others; see
            d2freq.evaluation.coco.merge_methods.
        iou_threshold: in [0, 1].

    Returns:
        ordered by image, category and falling score; of equal scores the first that came.

    Raises:
        UserError: an unknown method or a threshold out of range.
    """
    check_merge(method, iou_threshold)
    if not len(detections):
        return detections
    order = np.lexsort((-detections.score, detections.category_id, detections.image_id))
    found = detections.select(order)
    new = (np.diff(found.image_id) != 0) | (np.diff(found.category_id) != 0)
    starts = np.flatnonzero(np.concatenate([[True], new]))
    groups = zip(starts.tolist(), [*starts[1:].tolist(), len(found)], strict=True)
    boxes, scores = [], []
    quiet = len(found) < MANY
    for start, end in tqdm(groups, desc="merging", total=len(starts), disable=quiet):
        xywh, score = found.xywh[start:end], found.score[start:end]
        if end - start > 1:
            xywh, score, _ = merged(method, xywh, score, iou_threshold)
        boxes.append(xywh)
        scores.append(score)
    sizes = [len(score) for score in scores]
    return Detections(
        np.repeat(found.image_id[starts], sizes),
        np.repeat(found.category_id[starts], sizes),
        np.concatenate(boxes),
        np.concatenate(scores),
        detections.dropped,
    )


def merge_on_originals(
    detections: Detections,
    tiles: dict,
    truth: GroundTruth,
    *,
    method: str,
    iou_threshold: float,
    name: str,
    seams: bool = False,
) -> tuple[Detections, dict[str, object]]:
    """map_to_originals, then merge, by image and falling score; and a record of how.

    Args:
        seams: first drop what a neighbouring tile has seen better; see drop_seams.

    Raises:
        DetectionError: ``truth`` does not have the images that the tiles were cut from, or names
            a class otherwise than they do.
    """
    _refuse_other_classes(tiles, truth, name)
    about: dict[str, object] = {"tiles": name, "method": method, "iou_threshold": iou_threshold}
    about["detections_on_tiles"] = len(detections)
    if seams:
        whole = drop_seams(detections, tiles, name=name)
        about["seen_better_by_a_neighbour"] = len(detections) - len(whole)
        detections = whole
    found = guard_detections(map_to_originals(detections, tiles, name=name), truth)
    merged = merge(found, method=method, iou_threshold=iou_threshold)
    # the best of an image first, for protocols that look at its first rows
    return merged.select(np.lexsort((-merged.score, merged.image_id))), about


def _refuse_other_classes(tiles: dict, truth: GroundTruth, name: str) -> None:
    """Raise where one id stands for two classes: all of them would be counted as false alarms."""
    for record in tiles.get("categories", ()):
        known = truth.categories.get(record["id"], record["name"])
        if known != record["name"]:
            ours, theirs = (
                ", ".join(f"{key} {word}" for key, word in sorted(classes.items()))
                for classes in (
                    {c["id"]: c["name"] for c in tiles["categories"]},
                    truth.categories,
                )
            )
            raise DetectionError(
                f"the same ids stand for other classes: {name} has {ours}; {truth.report.file} has "
                f"{theirs}: give the categories of both files the same ids"
            )


def drop_seams(
    detections: Detections, tiles: dict, *, name: str = "the file of the tiles"
) -> Detections:
    """Without those that a neighbouring tile of the same scale has seen better, in the same order.

    An original ends where its outermost tiles do; see d2freq.evaluation.coco.seams.

    Args:
        tiles: see map_to_originals; image records have width and height, too.

    Raises:
        DatasetError, DetectionError: see map_to_originals.
    """
    moved = map_to_originals(detections, tiles, name=name)
    records = [image["tile"] for image in tiles["images"]]
    scale = np.array([tile["scale"] for tile in records], np.float64)
    low = np.array([[tile["x"], tile["y"]] for tile in records], np.float64).reshape(-1, 2)
    sides = [[image["width"], image["height"]] for image in tiles["images"]]
    corners = np.hstack([low, low + np.array(sides, np.float64).reshape(-1, 2)]) / scale[:, None]
    row_of = {image["id"]: row for row, image in enumerate(tiles["images"])}
    row = np.array([row_of[number] for number in detections.image_id.tolist()], np.int64)
    boxes = np.hstack([moved.xywh[:, :2], moved.xywh[:, :2] + moved.xywh[:, 2:]])
    original = np.array([tile["image_id"] for tile in records], np.int64)
    kept = np.ones(len(detections), bool)
    for image_id, factor in sorted(set(zip(original.tolist(), scale.tolist(), strict=True))):
        same = np.flatnonzero((original == image_id) & (scale == factor))
        of_same = np.flatnonzero(np.isin(row, same))
        size = corners[same, 2:].max(0)
        gone = seen_better(
            boxes[of_same],
            np.searchsorted(same, row[of_same]),
            corners[same],
            (float(size[0]), float(size[1])),
            touch=TOUCH / factor,
        )
        kept[of_same[gone]] = False
    return detections.select(np.flatnonzero(kept))


def check_merge(method: str, iou_threshold: float) -> None:
    """Raise UserError for an unknown method or a threshold out of [0, 1]."""
    choice(method, METHODS, key="TEST.TINY.MERGE, --merge")
    if not 0 <= iou_threshold <= 1:
        raise UserError(
            f"TEST.TINY.MERGE_IOU, --merge-iou: {iou_threshold} is no overlap from 0 to 1"
        )


def _is_tile(tile: object) -> bool:
    if not isinstance(tile, dict) or type(tile.get("image_id")) is not int:
        return False
    numbers: list[Any] = [tile.get(key) for key in ("x", "y", "scale")]
    return all(map(_is_number, numbers)) and numbers[-1] > 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
