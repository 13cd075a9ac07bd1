"""Precision, recall and F1 against loops that match anew at every threshold."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from d2freq.cli import main
from d2freq.data.coco.faults import Report
from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.evaluation.coco.judge import EXCUSED, HIT, MISS, judge
from d2freq.evaluation.coco.score_cuts import Cut, curve_of, pooled

from ...coco_cases import coco
from . import naive

AITOD = get_protocol("aitod")
PROTOCOLS = {
    "aitod": AITOD,
    "two per image and class": replace(AITOD, max_dets=(1, 2)),
    "the first five of an image": replace(AITOD, olrp=False, limit_per="image", max_dets=(2, 5)),
    "regions": get_protocol("visdrone-coco"),
    "flagged boxes are missed": replace(AITOD, olrp=False, recall_of="counted and flagged"),
    "tinyperson": get_protocol("tinyperson"),
}
KINDS = {1: "ship", 2: "car", 5: "nothing of it"}


def make_case(seed: int) -> tuple[GroundTruth, Detections]:
    """Three images, close boxes, crowds, ignore regions, equal scores; whole numbers throughout."""
    rng = np.random.default_rng(seed)
    n, extra = int(rng.integers(4, 14)), int(rng.integers(0, 8))
    xywh = np.hstack([rng.integers(0, 40, (n, 2)), rng.choice([4, 8, 12, 30], (n, 2))]).astype(
        float
    )
    truth = GroundTruth(
        image_ids=np.arange(1, 4),
        image_wh=np.full((3, 2), 99.0),
        categories=KINDS,
        image_id=rng.integers(1, 4, n),
        category_id=rng.integers(1, 3, n),
        xywh=xywh,
        area=xywh[:, 2] * xywh[:, 3],
        crowd=rng.random(n) < 0.2,
        report=Report("random"),
        region_image_id=np.array([1, 1, 3]),
        region_xywh=np.array([[0, 0, 20, 20], [10, 10, 20, 12], [5, 5, 9, 30]], float),
    )
    near = rng.integers(0, n, rng.integers(0, 25))
    boxes = np.vstack(
        [xywh[near] + rng.integers(-2, 3, (len(near), 4)), rng.integers(5, 30, (extra, 4))]
    )
    detections = Detections(
        np.append(truth.image_id[near], rng.integers(1, 4, extra)),
        np.append(truth.category_id[near], rng.integers(1, 3, extra)),
        np.maximum(boxes, [0, 0, 1, 1]).astype(float),
        rng.random(len(boxes)).round(1),
    )
    return truth, detections


def in_region(truth: GroundTruth, image: int, box: list) -> bool:
    """Whether half of a box lies in the image's regions, pixel by pixel."""
    covered = np.zeros((120, 120), bool)
    for own, region in zip(truth.region_image_id, truth.region_xywh.astype(int), strict=True):
        if own == image:
            covered[region[1] : region[1] + region[3], region[0] : region[0] + region[2]] = True
    x, y, w, h = map(int, box)
    return covered[y : y + h, x : x + w].sum() >= 0.5 * w * h


def naive_counts(truth, found, protocol, kind, cut: float) -> tuple[int, int, int]:
    """(hits, false alarms, objects) of one category where lower scores do not exist."""
    hits = false = objects = 0
    for image in truth.image_ids.tolist():
        regions = protocol.region_share is not None

        def out(box, image=image, regions=regions) -> bool:
            return regions and in_region(truth, image, box)

        columns = (found.image_id, found.category_id, found.xywh.tolist(), found.score)
        rows = [
            dict(kind=k, bbox=box, score=score)
            for i, k, box, score in zip(*columns, strict=True)
            if i == image and score >= cut and not out(box)
        ]
        limit = protocol.max_dets[-1]
        if protocol.limit_per == "image":
            # the limit looks at the file's order; what a threshold cuts off comes after it
            every = [
                (k, box, score)
                for i, k, box, score in zip(*columns, strict=True)
                if i == image and not out(box)
            ][:limit]
            rows = [dict(kind=k, bbox=b, score=s) for k, b, s in every if s >= cut]
        rows = naive.by_score([row for row in rows if row["kind"] == kind])
        rows = rows[:limit] if protocol.limit_per == "category" else rows
        own = [n for n in range(len(truth.crowd)) if truth.image_id[n] == image]
        own = [n for n in own if truth.category_id[n] == kind and not out(truth.xywh[n])]
        # the last box of equal overlap wins in the order of x, as the count sorts them
        own = sorted(own, key=lambda n: truth.xywh[n, 0])
        counted = [truth.xywh[n].tolist() for n in own if not truth.crowd[n]]
        crowds = [truth.xywh[n].tolist() for n in own if truth.crowd[n]]
        states = naive.greedy(rows, counted, crowds, 0.5)
        hits += states.count(naive.HIT)
        false += states.count(naive.MISS)
        objects += len(counted) + (len(crowds) if protocol.recall_of != "counted" else 0)
    return hits, false, objects


def naive_cut(counts: list[tuple[int, int, int]], cut: float) -> Cut:
    hits, false, objects = (sum(column) for column in zip(*counts, strict=True))
    precision = hits / (hits + false) if hits + false else math.nan
    if not objects:
        return Cut(cut, precision, math.nan, math.nan)
    return Cut(cut, precision, hits / objects, 2 * hits / (hits + false + objects))


def same(one: Cut, other: Cut) -> bool:
    values = [(getattr(one, key), getattr(other, key)) for key in vars(one)]
    return all(a == pytest.approx(b, nan_ok=True) for a, b in values)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_cut_is_that_of_a_loop(name):
    protocol, right = PROTOCOLS[name], 0
    for seed in range(12):
        truth, found = make_case(seed)
        each = count(truth, found, protocol).curves
        whole = pooled(each)
        scores = sorted({0.0, 0.35, 1.1, *found.score.tolist()}, reverse=True)
        table = {
            cut: [naive_counts(truth, found, protocol, kind, cut) for kind in KINDS]
            for cut in scores
        }
        for cut, counts in table.items():
            assert same(whole.at(cut), naive_cut(counts, cut))
            for curve, own in zip(each, counts, strict=True):
                assert same(curve.at(cut), naive_cut([own], cut))
        best = max((naive_cut(counts, cut) for cut, counts in table.items()), key=lambda c: c.f1)
        if best.f1 > 0:
            right += 1
            assert same(whole.best(), best)
    assert right > 5


def test_a_threshold_changes_nothing_above_it():
    for seed in range(10):
        truth, found = make_case(seed)
        state = judge(truth, found, AITOD).state
        above = found.score >= 0.5
        assert (judge(truth, found.select(above), AITOD).state == state[above]).all()


def test_hits_and_found_objects_are_the_same_pairs():
    for seed in range(10):
        truth, found = make_case(seed)
        judged = judge(truth, found, PROTOCOLS["regions"])
        hits = judged.state == HIT
        assert (hits == (judged.box >= 0)).all()
        boxes = judged.box[hits]
        assert len(set(boxes.tolist())) == hits.sum() and judged.counted[boxes].all()
        assert (judged.found_at[boxes] == found.score[hits]).all()
        assert np.isinf(np.delete(judged.found_at, boxes)).all()
        assert (truth.image_id[boxes] == found.image_id[hits]).all()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_single_judgements_add_up_to_the_curves(name):
    for seed in range(6):
        truth, found = make_case(seed)
        state = judge(truth, found, PROTOCOLS[name]).state
        curve = pooled(count(truth, found, PROTOCOLS[name]).curves)
        again = curve_of(found.score, state, curve.positives)
        for part in ("score", "true", "false"):
            assert (getattr(curve, part) == getattr(again, part)).all()


def test_by_hand():
    score = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.5])
    state = np.array([HIT, MISS, HIT, EXCUSED, HIT, MISS])
    curve = curve_of(score, state, positives=4)
    assert curve.score.tolist() == [0.9, 0.8, 0.6, 0.5]
    assert curve.at(0.8) == Cut(0.8, 2 / 3, 0.5, 4 / 7) == curve.at(0.8)
    assert curve.best() == Cut(0.6, 3 / 4, 3 / 4, 3 / 4)
    assert same(curve.at(0.95), Cut(0.95, math.nan, 0, 0))
    nothing = curve_of(score, np.full(6, MISS), positives=3)
    assert same(nothing.best(), Cut(math.nan, math.nan, 0, 0))


@pytest.fixture
def files(tmp_path):
    truth = coco([dict(bbox=[9, 9, 9, 9]), dict(bbox=[50, 50, 9, 9])], kinds=(1, 2))
    found = [
        dict(image_id=1, category_id=1, bbox=[9, 9, 9, 9], score=0.8),
        dict(image_id=1, category_id=1, bbox=[70, 9, 9, 9], score=0.4),
    ]
    paths = tmp_path / "truth.json", tmp_path / "found.json"
    for path, data in zip(paths, (truth, found), strict=True):
        path.write_text(json.dumps(data))
    return [str(path) for path in paths]


def test_the_command_tells_both(files, tmp_path, capsys):
    assert main(["evaluate", *files, "--score", "0.3", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "best score" in printed and "precision, recall and F1 at IoU 0.5" in printed
    row = next(
        line for line in printed.splitlines() if line.startswith("| kind1") and "0.3" in line
    )
    numbers = [float(word) for word in row.split("|")[2:-1]]
    assert numbers == [0.3, 50, 50, 50, 0.8, 100, 50, pytest.approx(66.67)]
    record = json.loads((tmp_path / "tiny_results.json").read_text())["score_cuts"]
    assert record["per_category"]["kind1"]["best"]["score"] == 0.8
    assert record["per_category"]["kind2"]["at_score"]["recall"] is None
    assert record["all"]["at_score"]["precision"] == 0.5


def test_maps_of_targets_have_a_score_of_their_own(files, capsys):
    assert main(["evaluate", *files, "--protocol", "irstd", "--score", "0.3"]) == 2
    assert "--score: protocol irstd cuts at its own score, 0.5" in capsys.readouterr().err


@pytest.mark.parametrize("score", ["1.5", "-1", "nan"])
def test_no_threshold(files, capsys, score):
    assert main(["evaluate", *files, f"--score={score}"]) == 2
    assert "scores go from 0 to 1" in capsys.readouterr().err
