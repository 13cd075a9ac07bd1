"""Ways to make one detection of several that overlap.

Shape legend: N boxes (x, y, width, height) of one image and category, by falling score. Each method
gives M boxes and scores, and for each the row of its first member. Boxes that do not overlap, not
even by way of others, have no effect on each other, so a method may be given one group of
d2freq.evaluation.coco.clusters at a time.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from d2freq.evaluation.coco.clusters import clusters

__all__ = ["METHODS", "Merged", "Method", "merged"]

LEAST_WEIGHT = 1e-12  # of a box in a weighted mean: scores of 0 have a mean too
LEAST_SCORE = 0.001  # that "soft" leaves; Bodla et al. 2017 drop what falls below a small threshold
AT_ONCE = 2048  # boxes that one call of NMS takes: it compares all with all


class Merged(NamedTuple):
    """Boxes (M, 4), scores (M,) and rows (M,) of their first members."""

    xywh: np.ndarray
    score: np.ndarray
    row: np.ndarray


# xywh (N, 4), scores (N,) by falling score, and the threshold of overlap
Method = Callable[[np.ndarray, np.ndarray, float], Merged]


def merged(method: str, xywh: np.ndarray, score: np.ndarray, threshold: float) -> Merged:
    """One image and category by a method of METHODS, in groups, by falling score."""
    corners = _corners(xywh)
    label = clusters(corners, hulls=method == "weighted")
    sizes = np.bincount(label)
    alone = np.flatnonzero(sizes[label] == 1)
    parts = [Merged(xywh[alone], score[alone], alone)]
    if method == "soft":  # what has nothing beside it keeps its score, if that is enough
        enough = score[alone] >= LEAST_SCORE
        parts = [Merged(xywh[alone[enough]], score[alone[enough]], alone[enough])]
    for rows in _groups(label, sizes, several=method == "nms"):
        own = METHODS[method](xywh[rows], score[rows], threshold)
        parts.append(own._replace(row=rows[own.row]))
    boxes, scores, places = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((places, -scores))
    return Merged(boxes[order], scores[order], places[order])


def _groups(label: np.ndarray, sizes: np.ndarray, *, several: bool) -> list[np.ndarray]:
    """Rows, ascending, of each group of two or more; with ``several`` of a few groups together."""
    inside = np.flatnonzero(sizes[label] > 1)
    inside = inside[np.argsort(label[inside], kind="stable")]
    _, starts = np.unique(label[inside], return_index=True)
    if several:
        chunk = starts // AT_ONCE
        starts = starts[np.flatnonzero(np.diff(chunk, prepend=-1))]
    return [np.sort(rows) for rows in np.split(inside, starts[1:]) if len(rows)]


def nms(xywh: np.ndarray, score: np.ndarray, threshold: float) -> Merged:
    """Greedy non-maximum suppression: the best score stays, what overlaps it too much goes."""
    import torch
    from torchvision.ops import nms as suppress

    corners = torch.from_numpy(_corners(xywh))
    keep = suppress(corners, torch.from_numpy(score), threshold).numpy()
    return Merged(xywh[keep], score[keep], keep)


def soft(xywh: np.ndarray, score: np.ndarray, threshold: float) -> Merged:
    """Soft-NMS with the linear rule (Bodla, Singh, Chellappa, Davis 2017, section 3).

    By falling score, the current one included, each box lowers those that are left and overlap it
    by more than the threshold: their scores are multiplied by 1 - IoU. A score that falls below
    0.001 goes. No box is lost to a neighbour that it does not cover, and duplicates stay behind
    with low scores.
    """
    corners, left = _corners(xywh), score.astype(np.float64).copy()
    area = np.prod(xywh[:, 2:], axis=1)
    rows: list[int] = []
    waiting = np.ones(len(score), bool)
    while True:
        best = int(np.argmax(np.where(waiting, left, -1.0)))
        if not waiting[best] or left[best] < LEAST_SCORE:
            break
        waiting[best] = False
        rows.append(best)
        overlap = _iou(corners[best], area[best], corners, area)
        left = np.where(waiting & (overlap > threshold), left * (1 - overlap), left)
    kept = np.array(rows, np.int64)
    return Merged(xywh[kept], left[kept], kept)


def weighted(xywh: np.ndarray, score: np.ndarray, threshold: float) -> Merged:
    """Weighted boxes fusion (Solovyev, Wang, Gabruseva 2021, section 3), of one set of boxes.

    By falling score each box joins the cluster whose fused box it overlaps most, if by more than
    the threshold, or else opens a cluster. The fused box has the corners sum(s_i c_i) / sum(s_i)
    of its members' corners c_i and scores s_i, its score is the mean of the s_i. The paper's last
    step lowers the score of what few of several detectors found; it is left out, since an object
    in the middle of a tile is seen by that tile alone.
    """
    corners = _corners(xywh)
    weight = np.maximum(score, LEAST_WEIGHT)
    fused, sums = np.zeros((2, *corners.shape))
    area, weights, scores = np.zeros((3, len(corners)))
    members: list[list[int]] = []
    for n, box in enumerate(corners):
        known = len(members)
        own = (box[2] - box[0]) * (box[3] - box[1])
        overlap = _iou(box, own, fused[:known], area[:known])
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
    for k, group in enumerate(members):
        if len(group) == 1:  # what nothing overlaps stays as it was, without a rounding error
            boxes[k] = xywh[group[0]]
    first = np.array([group[0] for group in members], np.int64)
    means = scores[: len(members)] / [len(group) for group in members]
    return Merged(boxes[: len(members)], means, first)


METHODS: dict[str, Method] = {"nms": nms, "weighted": weighted, "soft": soft}


def _corners(xywh: np.ndarray) -> np.ndarray:
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


def _iou(box: np.ndarray, own: float, others: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """(n,): of a corner box with each of (n, 4) corner boxes; 0 where both are empty."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = np.prod(np.clip(sides, 0, None), axis=1)
    union = areas + own - common
    return np.divide(common, union, out=np.zeros(len(others)), where=union > 0)
