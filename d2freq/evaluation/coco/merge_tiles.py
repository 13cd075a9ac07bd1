"""Detections on tiles, taken back to the original images and merged where tiles overlap.

N detections. Tile pixel (u, v) is ((u + x) / scale, (v + y) / scale) in the original, where x, y
and scale are those of the image record's ``tile``.

An object that a tile's border cuts is detected there in part, and whole by a neighbour where tiles
overlap by more than the object. The part survives the merge where its overlap with the whole is
not above the threshold, as less than half of the object is not above 0.5; it then counts as a
false alarm, as it does in the benchmarks that merge by NMS alone.
"""

import math
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.coco.guard import DetectionError, Detections, GroundTruth, guard_detections
from d2freq.utils.choices import choice

MERGED_FILE = "coco_originals_results.json"  # merged detections, beside the measurement
MANY = 300_000  # detections from which on merging takes seconds and shows a progress bar
LEAST_WEIGHT = 1e-12  # of a box in a weighted mean: scores of 0 have a mean too

# xywh (n, 4) and scores (n,) of one image and category by falling score; the same, merged
Method = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, np.ndarray]]


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
        method: "nms" keeps the best score and drops what overlaps it by more than the threshold;
            "weighted" takes the mean of such a group (see ``weighted``).
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
            xywh, score = METHODS[method](xywh, score, iou_threshold)
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
) -> tuple[Detections, dict[str, object]]:
    """map_to_originals, then merge, by image and falling score; and a record of how.

    Raises:
        DetectionError: ``truth`` does not have the images that the tiles were cut from.
    """
    found = guard_detections(map_to_originals(detections, tiles, name=name), truth)
    merged = merge(found, method=method, iou_threshold=iou_threshold)
    # the best of an image first, for protocols that look at its first rows
    merged = merged.select(np.lexsort((-merged.score, merged.image_id)))
    about = {"tiles": name, "method": method, "iou_threshold": iou_threshold}
    return merged, about | {"detections_on_tiles": len(detections)}


def check_merge(method: str, iou_threshold: float) -> None:
    """Raise UserError for an unknown method or a threshold out of [0, 1]."""
    choice(method, METHODS, key="TEST.TINY.MERGE, --merge")
    if not 0 <= iou_threshold <= 1:
        raise UserError(
            f"TEST.TINY.MERGE_IOU, --merge-iou: {iou_threshold} is no overlap from 0 to 1"
        )


def nms(xywh: np.ndarray, score: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Greedy non-maximum suppression."""
    import torch
    from torchvision.ops import nms as suppress

    corners = torch.from_numpy(np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1))
    keep = suppress(corners, torch.from_numpy(score), threshold).numpy()
    return xywh[keep], score[keep]


def weighted(
    xywh: np.ndarray, score: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted boxes fusion (Solovyev, Wang, Gabruseva 2021, section 3), of one set of boxes.

    By falling score each box joins the cluster whose fused box it overlaps most, if by more than
    the threshold, or else opens a cluster. The fused box has the corners sum(s_i c_i) / sum(s_i)
    of its members' corners c_i and scores s_i, its score is the mean of the s_i. The paper's last
    step lowers the score of what few of several detectors found; it is left out, since an object
    in the middle of a tile is seen by that tile alone.
    """
    corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    weight = np.maximum(score, LEAST_WEIGHT)
    fused, sums = np.zeros((2, *corners.shape))
    area, weights, scores = np.zeros((3, len(corners)))
    members: list[list[int]] = []
    for n, box in enumerate(corners):
        known = len(members)
        low = np.maximum(box[:2], fused[:known, :2])
        sides = np.clip(np.minimum(box[2:], fused[:known, 2:]) - low, 0, None)
        common = sides[:, 0] * sides[:, 1]
        union = area[:known] + (box[2] - box[0]) * (box[3] - box[1]) - common
        overlap = np.divide(common, union, out=np.zeros(known), where=union > 0)
        k = int(overlap.argmax()) if known else 0
        if not known or overlap[k] <= threshold:
            k = known
            members.append([])
        members[k].append(n)
        sums[k] += weight[n] * box
        weights[k] += weight[n]
        scores[k] += score[n]
        fused[k] = sums[k] / weights[k]
        area[k] = (fused[k, 2] - fused[k, 0]) * (fused[k, 3] - fused[k, 1])
    boxes = np.concatenate([fused[:, :2], fused[:, 2:] - fused[:, :2]], axis=1)
    for k, own in enumerate(members):
        if len(own) == 1:  # what nothing overlaps stays as it was, without a rounding error
            boxes[k] = xywh[own[0]]
    means = scores[: len(members)] / [len(own) for own in members]
    order = np.argsort(-means, kind="stable")
    return boxes[order], means[order]


METHODS: dict[str, Method] = {"nms": nms, "weighted": weighted}


def _is_tile(tile: object) -> bool:
    if not isinstance(tile, dict) or type(tile.get("image_id")) is not int:
        return False
    numbers: list[Any] = [tile.get(key) for key in ("x", "y", "scale")]
    return all(map(_is_number, numbers)) and numbers[-1] > 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
