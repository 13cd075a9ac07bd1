"""Precision, recall and F1 where detections below a score are cut off, and the best such score.

N detections of a category (or of all), S different scores among those that are judged. At a cut,
what scores as much or more stays: TP of it hits, FP are false alarms, and FN objects are missed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.evaluation.coco.judge import HIT, MISS, Judgement

__all__ = ["ALL", "Cut", "Curve", "curve_of", "curves"]

ALL = "all"  # the row of all categories together, every object and detection counted alike


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


def curve_of(score: np.ndarray, state: np.ndarray, positives: int) -> Curve:
    """The curve of detections in any order.

    Args:
        score: (N,) float64.
        state: (N,) of Judgement.
    """
    order = np.argsort(-score, kind="stable")
    score, state = score[order], state[order]
    judged = (state == HIT) | (state == MISS)
    score, right = score[judged], state[judged] == HIT
    last_of_equals = np.append(score[1:] != score[:-1], True)[: len(score)]
    true, false = np.cumsum(right), np.cumsum(~right)
    return Curve(score[last_of_equals], true[last_of_equals], false[last_of_equals], int(positives))


def curves(
    truth: GroundTruth, detections: Detections, judgement: Judgement
) -> Iterator[tuple[str, Curve]]:
    """(name, curve): of all categories together first, then of each in the order of ids."""
    state, positives = judgement.state, judgement.positives
    yield ALL, curve_of(detections.score, state, int(positives.sum()))
    for kind, name, number in zip(
        judgement.kinds, truth.categories.values(), positives, strict=True
    ):
        own = detections.category_id == kind
        yield name, curve_of(detections.score[own], state[own], int(number))
