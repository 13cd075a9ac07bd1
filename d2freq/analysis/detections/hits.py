"""Which detections hit and which objects were missed, in one picture at one overlap threshold.

N detections, G objects, H x W the picture. Boxes are x, y, width, height in pixels.
"""

from dataclasses import dataclass

import numpy as np

from d2freq.evaluation.coco.overlaps import pair_overlaps

__all__ = ["Found", "Matches", "Objects", "match"]


@dataclass(frozen=True)
class Found:
    """Detections: boxes (N, 4), classes and scores (N,), and masks (N, H, W) bool where given."""

    xywh: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    masks: np.ndarray | None = None


@dataclass(frozen=True)
class Objects:
    """Ground truth: boxes (G, 4), classes (G,), and which are crowd regions (G,) bool."""

    xywh: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray


@dataclass(frozen=True)
class Matches:
    """``hit`` and ``excused`` are (N,) bool; ``found`` is (G,) bool.

    A detection is a hit, excused (it lies on a crowd region) or a false positive.
    """

    hit: np.ndarray
    excused: np.ndarray
    found: np.ndarray


def match(found: Found, truth: Objects, *, iou_threshold: float = 0.5) -> Matches:
    """Match greedily by falling score: each detection takes the free object it overlaps most.

    Only objects of its own class, at ``iou_threshold`` or more, as COCO counts at one threshold.
    """
    hit, excused = np.zeros(len(found.xywh), bool), np.zeros(len(found.xywh), bool)
    taken = np.zeros(len(truth.xywh), bool)
    overlap = pair_overlaps(found.xywh[:, None], truth.xywh[None], truth.crowd[None])
    same = found.classes[:, None] == truth.classes[None]
    for n in np.argsort(-found.scores, kind="stable"):
        candidates = np.where(same[n] & ~truth.crowd & ~taken, overlap[n], -1.0)
        if candidates.size and candidates.max() >= iou_threshold:
            hit[n] = True
            taken[candidates.argmax()] = True
        else:
            excused[n] = bool((same[n] & truth.crowd & (overlap[n] >= iou_threshold)).any())
    return Matches(hit, excused, taken)
