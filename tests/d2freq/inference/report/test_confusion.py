"""The confusion matrix against a loop, and its sums against the judgement."""

import numpy as np

from d2freq.data.coco.faults import Report
from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.evaluation.coco.judge import HIT, MISS, judge
from d2freq.inference.report.confusion import confusion


def make_case(seed: int) -> tuple[GroundTruth, Detections]:
    rng = np.random.default_rng(seed)
    n, m = 14, 30
    xywh = np.hstack([rng.integers(0, 40, (n, 2)), rng.integers(6, 16, (n, 2))]).astype(float)
    near = rng.integers(0, n, m)
    image = rng.integers(1, 3, n)
    truth = GroundTruth(
        image_ids=np.arange(1, 3),
        categories={3: "ship", 7: "car", 9: "man"},
        image_id=image,
        category_id=rng.choice([3, 7, 9], n),
        xywh=xywh,
        area=xywh[:, 2] * xywh[:, 3],
        crowd=rng.random(n) < 0.15,
        report=Report("random"),
    )
    boxes = np.maximum(xywh[near] + rng.normal(0, 1.5, (m, 4)), [0, 0, 2, 2])
    kinds = np.where(rng.random(m) < 0.6, truth.category_id[near], rng.choice([3, 7, 9], m))
    return truth, Detections(image[near], kinds, boxes, rng.random(m))


def overlap(one, other) -> float:
    sides = [
        min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i]) for i in (0, 1)
    ]
    if min(sides) <= 0:
        return 0.0
    shared = sides[0] * sides[1]
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def naive(truth, found, judged, score: float) -> np.ndarray:
    kinds = [*truth.categories]
    table = np.zeros((4, 4), int)
    free = [g for g in range(len(truth.crowd)) if judged.counted[g] and judged.found_at[g] < score]
    for n in np.argsort(-found.score):
        kind = kinds.index(found.category_id[n])
        if found.score[n] < score:
            continue
        if judged.state[n] == HIT:
            table[kind, kind] += 1
        elif judged.state[n] == MISS:
            near = [
                (overlap(found.xywh[n], truth.xywh[g]), g)
                for g in free
                if truth.image_id[g] == found.image_id[n]
                and truth.category_id[g] != found.category_id[n]
            ]
            best = max(near, default=(0.0, -1))
            if best[0] >= judged.iou:
                free.remove(best[1])
                table[kinds.index(truth.category_id[best[1]]), kind] += 1
            else:
                table[3, kind] += 1
    for g in free:
        table[kinds.index(truth.category_id[g]), 3] += 1
    return table


def test_against_a_loop():
    off_diagonal = 0
    for seed in range(25):
        truth, found = make_case(seed)
        judged = judge(truth, found, get_protocol("aitod"))
        for score in (0.0, 0.3, 0.7):
            table = confusion(truth, found, judged, score)
            assert (table == naive(truth, found, judged, score)).all()
            off_diagonal += table[:3, :3].sum() - np.trace(table[:3, :3])
    assert off_diagonal > 10


def test_rows_are_objects_and_columns_are_detections():
    truth, found = make_case(3)
    judged = judge(truth, found, get_protocol("aitod"))
    table = confusion(truth, found, judged, 0.0)
    kinds = [*truth.categories]
    objects = [(judged.counted & (truth.category_id == kind)).sum() for kind in kinds]
    assert table[:3].sum(1).tolist() == objects
    told = (judged.state == HIT) | (judged.state == MISS)
    columns = [(told & (found.category_id == kind)).sum() for kind in kinds]
    assert table[:, :3].sum(0).tolist() == columns
