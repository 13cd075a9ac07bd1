"""The numbers of a report, over all pictures, whether they are shown or not.

A slider in the page cuts scores off at hundredths; what it needs to be exact is counted here by
class, hundredth and size, so that no list of all detections is in the page.
"""

import math
from typing import Any

import numpy as np

from d2freq.evaluation.coco.counting import Counts, count
from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.evaluation.coco.judge import EXCUSED, HIT, MISS, Judgement, judge
from d2freq.evaluation.coco.report import category_rows, summary
from d2freq.evaluation.coco.score_cuts import Curve, pooled
from d2freq.evaluation.protocols import Protocol
from d2freq.inference.report.confusion import confusion
from d2freq.inference.report.sizes import score_steps, size_steps
from d2freq.utils.files import without_nan

__all__ = ["count_detections", "measure_for_report"]

POINTS = 300  # of a curve at most, which a page draws 300 pixels wide


def count_detections(detections: Detections, classes: np.ndarray, state: np.ndarray) -> list:
    """How many detections there are: rows [class, hundredth, size, hits, alarms, excused].

    Args:
        classes: (N,) int64, from 0.
        state: (N,) of Judgement; all EXCUSED without ground truth.
    """
    keys = np.stack(
        [classes, score_steps(detections.score), size_steps(*detections.xywh[:, 2:].T)], 1
    )
    unique, place = np.unique(keys, axis=0, return_inverse=True)
    counts = np.zeros((len(unique), 3), np.int64)
    column = np.array([1, 0, 2])  # of MISS, HIT, EXCUSED
    assert (MISS, HIT, EXCUSED) == (0, 1, 2)
    np.add.at(counts, (place.reshape(-1), column[state]), 1)
    return np.hstack([unique, counts]).tolist()


def measure_for_report(
    truth: GroundTruth, detections: Detections, protocol: Protocol
) -> tuple[dict[str, Any], Judgement]:
    """What a report says beside ground truth, fit for JSON, and each detection's judgement.

    The dictionary has ``iou``, ``objects`` (rows [class, hundredth of the score that finds them or
    -1, size, number]), ``curves`` (of all, then of each category), ``table`` (AP by size) and
    ``confusion`` (at the best threshold of all).
    """
    counts = count(truth, detections, protocol)
    judgement = judge(truth, detections, protocol)
    whole = pooled(counts.curves)
    best = whole.best().score
    cut = 0.5 if math.isnan(best) else best
    figures = {
        "iou": judgement.iou,
        "objects": _count_objects(truth, judgement),
        "curves": [_curve(curve) for curve in (whole, *counts.curves)],
        "table": _table(counts),
        "confusion": {
            "score": cut,
            "counts": confusion(truth, detections, judgement, cut).tolist(),
        },
    }
    return without_nan(figures), judgement


def _count_objects(truth: GroundTruth, judgement: Judgement) -> list:
    known = truth.take(judgement.counted)
    kinds = np.array(list(truth.categories), np.int64)
    keys = np.stack(
        [
            np.searchsorted(kinds, known.category_id),
            score_steps(judgement.found_at[judgement.counted]),
            size_steps(*known.xywh[:, 2:].T),
        ],
        1,
    )
    unique, number = np.unique(keys, axis=0, return_counts=True)
    return np.hstack([unique, number[:, None]]).tolist()


def _curve(curve: Curve) -> dict[str, Any]:
    """Points [score, precision, recall, F1] by falling score, and the best cut."""
    columns = np.stack([curve.score, curve.precision, curve.recall, curve.f1], 1)
    places = np.unique(np.linspace(0, len(columns) - 1, min(POINTS, len(columns))).astype(int))
    best = curve.best()
    return {
        "points": columns[places].round(5).tolist(),
        "best": [best.score, best.precision, best.recall, best.f1],
        "objects": curve.positives,
    }


def _table(counts: Counts) -> dict[str, Any]:
    """AP and AR, overall and by size, of all and of each category, in percent."""
    overall = {k: v for k, v in summary(counts).items() if not k.startswith("AP-")}
    rows = category_rows(counts)
    return {
        "columns": list(overall),
        "rows": [[row.get(key) for key in overall] for row in (overall, *rows.values())],
    }
