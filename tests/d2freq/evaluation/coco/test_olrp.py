"""oLRP against a naive implementation: every score cut of every category and area, by loops."""

import math

import numpy as np
import pytest

from d2freq.data.coco.faults import Report
from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.guard import Detections, GroundTruth

AITOD = get_protocol("aitod")


def make_case(rng: np.random.Generator) -> tuple[GroundTruth, Detections]:
    """Up to three images and two classes, close boxes, crowds, equal scores."""
    n, extra = rng.integers(0, 10), rng.integers(0, 8)
    side = rng.choice([4, 8, 12, 16, 30], (n, 2))
    xywh = np.hstack([rng.integers(0, 40, (n, 2)), side]).astype(float)
    truth = GroundTruth(
        image_ids=np.arange(1, 4),
        categories={1: "ship", 2: "car"},
        image_id=rng.integers(1, 4, n),
        category_id=rng.integers(1, 3, n),
        xywh=xywh,
        area=xywh[:, 2] * xywh[:, 3],
        crowd=rng.random(n) < 0.15,
        report=Report("random"),
    )
    near = rng.integers(0, max(n, 1), rng.integers(0, 25) if n else 0)
    boxes = np.vstack(
        [xywh[near] + rng.normal(0, 1, (len(near), 4)), rng.uniform(5, 30, (extra, 4))]
    )
    detections = Detections(
        np.append(truth.image_id[near], rng.integers(1, 4, extra)),
        np.append(truth.category_id[near], rng.integers(1, 3, extra)),
        np.maximum(boxes, [0, 0, 1, 1]),
        rng.random(len(boxes)).round(1),
    )
    return truth, detections


def overlap(one, other, crowd: bool) -> float:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    own, shared = one[2] * one[3], width * height
    return shared / (own if crowd else own + other[2] * other[3] - shared)


def naive_judgements(truth, found, category: int, low: float, high: float) -> list[tuple]:
    """(score, IoU) of right detections and (score, None) of wrong ones."""
    result = []
    for image in truth.image_ids:
        boxes = np.flatnonzero((truth.image_id == image) & (truth.category_id == category))
        rows = np.flatnonzero((found.image_id == image) & (found.category_id == category))
        taken = set()
        for row in sorted(rows, key=lambda r: -found.score[r]):
            best, best_key = None, None
            for box in boxes:
                counted = not truth.crowd[box] and low <= truth.area[box] <= high
                iou = overlap(found.xywh[row], truth.xywh[box], truth.crowd[box])
                if iou >= 0.5 and box not in taken and (not best_key or (counted, iou) >= best_key):
                    best, best_key = box, (counted, iou)
            if best is None:
                if low <= found.xywh[row, 2] * found.xywh[row, 3] <= high:
                    result.append((found.score[row], None))
                continue
            if not truth.crowd[best]:
                taken.add(best)
            if best_key[0]:
                result.append((found.score[row], best_key[1]))
    return result


def naive_olrp(truth, found, category: int, low: float, high: float) -> tuple[float, ...]:
    own = (truth.category_id == category) & ~truth.crowd
    positives = int((own & (truth.area >= low) & (truth.area <= high)).sum())
    if positives == 0:
        return (math.nan,) * 5
    judged = naive_judgements(truth, found, category, low, high)
    best = (1.0, math.nan, math.nan, 1.0, math.nan)
    for cut in sorted({score for score, _ in judged}, reverse=True):
        right = [iou for score, iou in judged if score >= cut and iou is not None]
        wrong = sum(1 for score, iou in judged if score >= cut and iou is None)
        missed = positives - len(right)
        far = sum(1 - iou for iou in right)
        lrp = (far / 0.5 + wrong + missed) / (len(right) + wrong + missed)
        if right and (math.isnan(best[4]) or lrp < best[0] - 1e-14):
            precision_error = wrong / (len(right) + wrong)
            best = (lrp, far / len(right), precision_error, missed / positives, cut)
    return best


@pytest.mark.parametrize("block", range(4))
def test_a_hundred_random_cases_equal_the_naive_loop(block):
    for seed in range(25 * block, 25 * (block + 1)):
        truth, found = make_case(np.random.default_rng(seed))
        olrp = count(truth, found, AITOD).olrp
        ours = np.stack([olrp.olrp, olrp.loc, olrp.fp, olrp.fn, olrp.threshold], -1)
        naive = [
            [naive_olrp(truth, found, kind, area.low, area.high) for area in AITOD.all_areas]
            for kind in truth.categories
        ]
        np.testing.assert_allclose(ours, naive, rtol=0, atol=1e-12, err_msg=f"seed {seed}")


def one_image(boxes: list, detections: list, scores: list):
    xywh = np.array(boxes, float).reshape(-1, 4)
    area = xywh[:, 2] * xywh[:, 3]
    ones, crowd = np.ones(len(xywh), np.int64), np.zeros(len(xywh), bool)
    kinds = {1: "ship"}
    truth = GroundTruth(np.array([1]), kinds, ones, ones, xywh, area, crowd, Report("one"))
    ids = np.ones(len(scores), np.int64)
    found = Detections(
        ids, ids, np.array(detections, float).reshape(-1, 4), np.array(scores, float)
    )
    return count(truth, found, AITOD).olrp


def test_worked_example():
    """Two boxes of 10 x 10; one found with IoU 0.8, then a false alarm, then the other, exactly.

    Cut after one: (0.2 / 0.5 + 1) / 2 = 0.7. After all three: (0.4 + 1) / 3 = 0.4667.
    """
    boxes = [[0, 0, 10, 10], [50, 50, 10, 10]]
    found = [[0, 0, 10, 8], [80, 80, 10, 10], [50, 50, 10, 10]]
    olrp = one_image(boxes, found, [0.9, 0.8, 0.7])
    numbers = [olrp.olrp, olrp.loc, olrp.fp, olrp.fn, olrp.threshold]
    assert [n[0, 0] for n in numbers] == pytest.approx([1.4 / 3, 0.1, 1 / 3, 0.0, 0.7])
    olrp = one_image(boxes, [*found[:2], *[found[1]] * 9, found[2]], [0.9, *[0.8] * 10, 0.7])
    numbers = [olrp.olrp, olrp.loc, olrp.fp, olrp.fn, olrp.threshold]
    assert [n[0, 0] for n in numbers] == pytest.approx([0.7, 0.2, 0.0, 0.5, 0.9])


def test_equal_scores_are_on_the_same_side_of_a_cut():
    olrp = one_image([[0, 0, 10, 10]], [[0, 0, 10, 10], [50, 50, 10, 10]], [0.5, 0.5])
    assert (olrp.olrp[0, 0], olrp.fp[0, 0]) == (0.5, 0.5)


def test_no_hit_is_one_and_no_ground_truth_is_nan():
    for found in ([], [[70, 70, 10, 10]]):
        olrp = one_image([[0, 0, 10, 10]], found, [0.9] * len(found))
        assert (olrp.olrp[0, 0], olrp.fn[0, 0]) == (1.0, 1.0)
        assert np.isnan([olrp.loc[0, 0], olrp.fp[0, 0], olrp.threshold[0, 0]]).all()
    assert np.isnan(one_image([], [[0, 0, 10, 10]], [0.9]).olrp).all()


def test_protocols_without_olrp_have_none():
    truth, found = make_case(np.random.default_rng(0))
    assert count(truth, found, get_protocol("coco")).olrp is None
