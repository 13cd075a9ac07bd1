"""Which detections hit and which objects were missed, in one picture at one overlap threshold.

N detections, G ground truth boxes, both (x0, y0, x1, y1).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Matches:
    """``hit`` and ``excused`` are (N,) bool; ``found`` is (G,) bool.

    A detection is a hit, excused (it lies on a crowd region) or a false positive.
    """

    hit: np.ndarray
    excused: np.ndarray
    found: np.ndarray


def match(
    boxes: np.ndarray,
    classes: np.ndarray,
    scores: np.ndarray,
    gt_boxes: np.ndarray,
    gt_classes: np.ndarray,
    gt_crowd: np.ndarray,
    *,
    iou_threshold: float = 0.5,
) -> Matches:
    """Match greedily by falling score: each detection takes the free object it overlaps most.

    Only objects of its own class, at ``iou_threshold`` or more, as COCO counts at one threshold.
    """
    hit, excused = np.zeros(len(boxes), bool), np.zeros(len(boxes), bool)
    found = np.zeros(len(gt_boxes), bool)
    overlap, covered = pairwise_overlap(boxes, gt_boxes)
    same = classes[:, None] == gt_classes[None]
    for n in np.argsort(-scores, kind="stable"):
        candidates = np.where(same[n] & ~gt_crowd & ~found, overlap[n], -1.0)
        if candidates.size and candidates.max() >= iou_threshold:
            hit[n] = True
            found[candidates.argmax()] = True
        else:
            excused[n] = bool((same[n] & gt_crowd & (covered[n] >= iou_threshold)).any())
    return Matches(hit, excused, found)


def pairwise_overlap(boxes: np.ndarray, gt_boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intersection over union, and over the area of the first box; both (N, G)."""
    low = np.maximum(boxes[:, None, :2], gt_boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], gt_boxes[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    gt_area = (gt_boxes[:, 2:] - gt_boxes[:, :2]).prod(-1)
    union = area[:, None] + gt_area[None] - common
    own = np.broadcast_to(area[:, None], common.shape)
    return _ratio(common, union), _ratio(common, own)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
