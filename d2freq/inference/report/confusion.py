"""The confusion matrix: what objects of each class were taken for.

K categories; N detections, G ground truth boxes.
"""

import numpy as np

from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.evaluation.coco.judge import HIT, MISS, Judgement
from d2freq.evaluation.coco.overlaps import neighbours, pair_overlaps, pairs_of

__all__ = ["confusion"]


def confusion(
    truth: GroundTruth, detections: Detections, judgement: Judgement, score: float
) -> np.ndarray:
    """Count pairs of true and detected category, of detections that score ``score`` or more.

    Hits are those of the judgement. A false alarm then takes, best score first, the missed object
    of another category that it overlaps most, if by ``judgement.iou``. What is excused counts
    nowhere.

    Returns:
        (K + 1, K + 1) int64, a row for each true category and one for no object, a column for each
        detected category and one for missed objects. Categories are in the order of ids.
    """
    kinds = np.array(list(truth.categories), np.int64)
    nothing = len(kinds)
    table = np.zeros((nothing + 1, nothing + 1), np.int64)
    kept = detections.score >= score
    hits = kept & (judgement.state == HIT)
    found = np.searchsorted(kinds, detections.category_id)
    own = np.searchsorted(kinds, truth.category_id)
    np.add.at(table, (found[hits], found[hits]), 1)

    alarms = np.flatnonzero(kept & (judgement.state == MISS))
    missed = np.flatnonzero(judgement.counted & (judgement.found_at < score))
    taken_for = _pair_up(truth, detections, alarms, missed, judgement.iou)
    confused = np.flatnonzero(taken_for >= 0)
    np.add.at(table, (own[taken_for[confused]], found[alarms[confused]]), 1)
    table[nothing] += np.bincount(found[alarms[taken_for < 0]], minlength=nothing + 1)
    left = np.setdiff1d(missed, taken_for[confused])
    np.add.at(table, (own[left], nothing), 1)
    return table


def _pair_up(
    truth: GroundTruth, detections: Detections, alarms: np.ndarray, missed: np.ndarray, iou: float
) -> np.ndarray:
    """For each of ``alarms`` its object, a row of the ground truth among ``missed``, or -1."""
    objects = missed[np.lexsort((truth.xywh[missed, 0], truth.image_id[missed]))]
    boxes = truth.xywh[objects]
    first, last = neighbours(
        detections.image_id[alarms], detections.xywh[alarms], truth.image_id[objects], boxes
    )
    row, number = pairs_of(first, last)
    crowd = np.zeros(len(number), bool)
    overlap = pair_overlaps(detections.xywh[alarms[row]], boxes[number], crowd)
    other = detections.category_id[alarms[row]] != truth.category_id[objects[number]]
    near = (overlap >= iou) & other
    row, number, overlap = row[near], number[near], overlap[near]
    result = np.full(len(alarms), -1, np.int64)
    free = np.ones(len(objects), bool)
    order = np.lexsort((-overlap, row, -detections.score[alarms[row]]))
    for alarm, place in zip(row[order].tolist(), number[order].tolist(), strict=True):
        if result[alarm] < 0 and free[place]:
            result[alarm], free[place] = objects[place], False
    return result
