"""Precision, recall and F1 where detections below a score are cut off, and the best such score.

N detections of a category (or of all), S different scores among those that are judged. At a cut,
what scores as much or more stays: TP of it hits, FP are false alarms, and FN objects are missed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from d2freq.evaluation.coco.matching import EXCUSED, HIT, MISS, Matches
from d2freq.evaluation.protocols.protocol import OLRP_IOU, Protocol

__all__ = ["Curve", "Cut", "curve_of", "pooled", "states_of", "usual_overlap"]


@dataclass(frozen=True)
class Cut:
    """What a threshold gives, in [0, 1].

    NaN: nothing is detected (precision), or there is no ground truth (recall and F1).
    """

    score: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Curve:
    """Counts at every score.

    Attributes:
        score: (S,) float64, falling.
        true, false: (S,) int64, hits and false alarms that score as much or more.
        positives: the objects.
    """

    score: np.ndarray
    true: np.ndarray
    false: np.ndarray
    positives: int

    @property
    def precision(self) -> np.ndarray:
        """(S,) float64."""
        return self.true / (self.true + self.false)

    @property
    def recall(self) -> np.ndarray:
        """(S,) float64, NaN without ground truth."""
        return self.true / (self.positives or math.nan)

    @property
    def f1(self) -> np.ndarray:
        """(S,) float64, 2 TP / (2 TP + FP + FN), NaN without ground truth."""
        # TP + FN are the objects
        below = self.true + self.false + self.positives
        return 2 * self.true / (below if self.positives else math.nan)

    def at(self, score: float) -> Cut:
        """What stays at a threshold, whether or not a detection has that very score."""
        place = int(np.searchsorted(-self.score, -score, side="right")) - 1
        if place < 0:
            return self._nothing(score)
        values = (float(part[place]) for part in (self.precision, self.recall, self.f1))
        return Cut(score, *values)

    def best(self) -> Cut:
        """The cut of the highest F1, of equals the highest score; NaN where nothing is hit."""
        if not self.positives or not self.true.any():
            return self._nothing(math.nan)
        return self.at(float(self.score[np.argmax(self.f1)]))

    def _nothing(self, score: float) -> Cut:
        missed = 0.0 if self.positives else math.nan
        return Cut(score, math.nan, missed, missed)


def usual_overlap(protocol: Protocol) -> float:
    """0.5 where the protocol counts at it, else its lowest overlap."""
    levels = protocol.iou_thresholds
    return OLRP_IOU if OLRP_IOU in levels else levels[0]


def curve_of(score: np.ndarray, state: np.ndarray, positives: int) -> Curve:
    """The curve of detections in any order.

    Args:
        score: (N,) float64.
        state: (N,) as of ``states_of``.
    """
    judged = state != EXCUSED
    return _curve(score[judged], state[judged] == HIT, state[judged] == MISS, positives)


def _curve(score: np.ndarray, true: np.ndarray, false: np.ndarray, positives: int) -> Curve:
    """From counts at each of some scores, in any order."""
    order = np.argsort(-score, kind="stable")
    score = score[order]
    last_of_equals = np.append(score[1:] != score[:-1], True)[: len(score)]
    above = [np.cumsum(part[order])[last_of_equals] for part in (true, false)]
    return Curve(score[last_of_equals], above[0], above[1], int(positives))


def pooled(curves: Sequence[Curve]) -> Curve:
    """One curve over all categories, every object and detection counted alike."""
    score = np.concatenate([curve.score for curve in curves])
    true = np.concatenate([np.diff(curve.true, prepend=0) for curve in curves])
    false = np.concatenate([np.diff(curve.false, prepend=0) for curve in curves])
    return _curve(score, true, false, sum(curve.positives for curve in curves))


def states_of(matches: Matches, protocol: Protocol, iou: float) -> np.ndarray:
    """What becomes of each detection of one category among objects of all sizes.

    Returns:
        (N,) int8 in the order of ``matches``: HIT; MISS, a false alarm; or EXCUSED, neither right
        nor wrong, which what is beyond the protocol's limit is, too.
    """
    special = matches.state[:, 0, protocol.iou_thresholds.index(iou)]
    state = np.where(matches.inside[:, 0], MISS, EXCUSED).astype(np.int8)
    state[matches.candidate] = np.where(special == MISS, state[matches.candidate], special)
    state[matches.rank >= protocol.max_dets[protocol.ap_index]] = EXCUSED
    return state
