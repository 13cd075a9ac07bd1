"""Optimal localisation recall precision (oLRP): one error for boxes, false and missed detections.

N detections of a category, K categories, A areas ("all" first). Of a category and a score cut,
TP + FP detections lie at or above the cut, and FN boxes are missed by them:

    LRP = [sum over TP of (1 - IoU) / (1 - 0.5) + FP + FN] / (TP + FP + FN)

and oLRP is the lowest LRP of all cuts (Oksuz et al., ECCV 2018; cocoapi-aitod). A cut is a score,
so detections of equal score are on the same side of it.
"""

from dataclasses import dataclass

import numpy as np

from d2freq.evaluation.coco.matching import EXCUSED, HIT, Matches
from d2freq.evaluation.protocols.protocol import OLRP_IOU, Protocol


@dataclass(frozen=True)
class Olrp:
    """oLRP and its parts, (K, A) float64 each; lower is better.

    All are NaN where a category has no ground truth in an area. Where it has, and no detection is
    right, ``olrp`` and ``fn`` are 1 and the others NaN.

    Attributes:
        olrp: in [0, 1].
        loc: mean of 1 - IoU over the right detections, in [0, 0.5].
        fp: share of the detections that are wrong, FP / (TP + FP).
        fn: share of the ground truth that is missed, FN / (TP + FN).
        threshold: the score to cut at, the highest of equally good ones.
    """

    olrp: np.ndarray
    loc: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    threshold: np.ndarray


def olrp_of(matches: Matches, protocol: Protocol) -> np.ndarray:
    """olrp, loc, fp, fn and threshold (5, A) of one category at IoU 0.5 and the AP limit."""
    assert matches.overlap is not None
    state = matches.state[:, :, protocol.iou_thresholds.index(OLRP_IOU)]
    takes_part = matches.rank < protocol.max_dets[protocol.ap_index]
    result = np.full((5, len(protocol.all_areas)), np.nan)
    for a in np.flatnonzero(matches.positives):
        error = np.zeros(len(matches.score))
        right = np.zeros(len(matches.score), bool)
        wrong = matches.inside[:, a] & takes_part
        right[matches.candidate] = state[:, a] == HIT
        right &= takes_part
        wrong[matches.candidate[state[:, a] == EXCUSED]] = False
        wrong &= ~right
        error[matches.candidate] = 1 - matches.overlap[:, a]
        result[:, a] = _best_cut(matches.score, right, wrong, error, matches.positives[a])
    return result


def _best_cut(score, right, wrong, error, positives) -> tuple[float, ...]:
    """The five numbers of one area from detections (N,) by falling score."""
    true, false = np.cumsum(right), np.cumsum(wrong)
    away = np.cumsum(np.where(right, error, 0.0))
    last_of_equals = np.append(score[1:] != score[:-1], True)[: len(score)]
    cuts = np.flatnonzero(last_of_equals & (true > 0))
    if not len(cuts):
        return 1.0, np.nan, np.nan, 1.0, np.nan
    true, false, away = true[cuts], false[cuts], away[cuts]
    # TP + FP + FN is the ground truth and the wrong detections
    lrp = (away / (1 - OLRP_IOU) + false + positives - true) / (positives + false)
    n = int(np.argmin(lrp))
    missed = 1 - true[n] / positives
    return lrp[n], away[n] / true[n], false[n] / (true[n] + false[n]), missed, score[cuts[n]]
