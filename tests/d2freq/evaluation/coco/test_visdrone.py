"""VisDrone's rules against plain loops over label rows, as the benchmark's toolkit states them.

The toolkit (VisDrone2018-DET-toolkit, MATLAB) takes rows of left, top, width, height, score and
category, of ground truth and of detections. In ground truth score 0 marks a box that excuses
detections on it, and category 0 a region; category 11 has no role. What lies half in regions is
left out, the first N rows of an image count, AP is the area under all points, and a class stands in
the mean once for each image that has it.
"""

import dataclasses
import itertools

import numpy as np
import pytest

from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.guard import guard_ground_truth
from d2freq.evaluation.coco.measure import measure

from ...coco_cases import coco
from .evaluator_cases import to_arrays
from .naive import by_score, greedy, precisions

VISDRONE = get_protocol("visdrone")
WIDTH, HEIGHT, CLASSES = 70, 50, 3
LIMITS = (1, 3, 8, 500)
THRESHOLDS = np.linspace(0.5, 0.95, 10)


def left_in(rows: list[dict], regions: list[list[int]]) -> list[dict]:
    """The rows of an image less than half of which is in regions, pixels numbered from 1."""
    if not regions:
        return rows
    inside = np.zeros((HEIGHT + 1, WIDTH + 1), bool)
    for region in regions:
        x, y, width, height = (max(1, value) for value in region)
        inside[y : min(HEIGHT, y + height) + 1, x : min(WIDTH, x + width) + 1] = True
    kept = []
    for row in rows:
        x, y, width, height = (max(1, int(np.floor(value + 0.5))) for value in row["bbox"])
        x, y = min(WIDTH, x), min(HEIGHT, y)
        last_x, last_y = min(WIDTH, x + width), min(HEIGHT, y + height)
        covered = inside[y + 1 : last_y + 1, x + 1 : last_x + 1].sum()
        if covered / (width * height) < 0.5:
            kept.append(row)
    return kept


def toolkit(labels: dict[int, list[dict]], rows: dict[int, list[dict]]) -> dict[str, float]:
    """The toolkit's figures in percent, of rows by image."""
    regions = {i: [r["bbox"] for r in labels[i] if r["category"] == 0] for i in labels}
    truth = {i: left_in([r for r in labels[i] if r["category"] != 0], regions[i]) for i in labels}
    found = {i: left_in(rows[i], regions[i]) for i in labels}
    ap = np.zeros((CLASSES, len(THRESHOLDS)))
    ar = np.zeros((CLASSES, len(THRESHOLDS), len(LIMITS)))
    weights = np.zeros(CLASSES, int)
    for k in range(CLASSES):
        own = {i: [r for r in truth[i] if r["category"] == k + 1] for i in truth}
        weights[k] = sum(bool(boxes) for boxes in own.values())
        number = sum(len(boxes) for boxes in own.values())  # those of score 0, too
        pairs = itertools.product(enumerate(THRESHOLDS), enumerate(LIMITS))
        for (t, threshold), (n, limit) in pairs:
            judged = []
            for i in truth:
                first = [r for r in found[i][:limit] if r["category_id"] == k + 1]
                solid, excusing = (
                    [r["bbox"] for r in own[i] if r["score"] == flag] for flag in (1, 0)
                )
                first = by_score(first)
                judged += zip(first, greedy(first, solid, excusing, threshold), strict=True)
            judged.sort(key=lambda pair: -pair[0]["score"])
            points = precisions([state for _, state in judged], max(1, number))
            ar[k, t, n] = 100 * max((recall for recall, _ in points), default=0)
            ap[k, t] = 100 * area_under(points)
    if not weights.any():
        return {}
    mean = {"AP": ap.mean(1), "AP50": ap[:, 0], "AP75": ap[:, 5]}
    mean |= {f"AR@{limit}": ar[:, :, n].mean(1) for n, limit in enumerate(LIMITS)}
    return {key: (values * weights).sum() / weights.sum() for key, values in mean.items()}


def area_under(points: list[tuple[float, float]]) -> float:
    """Below the precision that is reached at each recall or beyond it."""
    area, before = 0.0, 0.0
    for n, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[n:])
        before = recall
    return area


def make_case(seed: int) -> tuple[dict, dict]:
    """Labels with regions, others, boxes of score 0, and detections in any order."""
    rng = np.random.default_rng(seed)
    labels: dict[int, list[dict]] = {}
    rows: dict[int, list[dict]] = {}
    for image in range(1, rng.integers(2, 5)):
        labels[image], rows[image] = [], []
        for _ in range(rng.integers(0, 12)):
            box = [*rng.integers(0, 50, 2).tolist(), *rng.integers(1, 20, 2).tolist()]
            category = int(rng.choice([0, 1, 1, 2, 3, 11], p=[0.1, 0.3, 0.2, 0.2, 0.1, 0.1]))
            score = int(rng.random() < 0.8)
            labels[image].append({"bbox": box, "score": score, "category": category})
            for _ in range(rng.integers(0, 3)):
                shaken = np.maximum(np.array(box) + rng.integers(-1, 2, 4), [0, 0, 1, 1])
                kind = category if 1 <= category <= CLASSES else int(rng.integers(1, CLASSES + 1))
                # a quarter of a pixel, so that the rounding for regions has something to round
                shaken = shaken + rng.choice([0.0, 0.25, 0.5], 4)
                rows[image].append({"category_id": kind, "bbox": shaken.tolist()})
        scores = rng.random(len(rows[image])).round(1).tolist()
        rows[image] = [
            {**row, "image_id": image, "score": score}
            for row, score in zip(rows[image], scores, strict=True)
        ]
    return labels, rows


def as_coco(labels: dict[int, list[dict]]) -> dict:
    """As the converter writes it."""
    images, annotations = [], []
    for image, own in labels.items():
        record = {"id": image, "file_name": f"{image}.jpg", "width": WIDTH, "height": HEIGHT}
        for key, category in (("ignore_regions", 0), ("other_objects", 11)):
            record[key] = [row["bbox"] for row in own if row["category"] == category]
        images.append(record)
        for row in own:
            if row["category"] in (0, 11):
                continue
            x, y, width, height = row["bbox"]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "bbox": row["bbox"]}
                | {"category_id": row["category"], "iscrowd": 1 - row["score"]}
                | {"area": width * height}
            )
    kinds = [{"id": k, "name": f"kind{k}"} for k in range(1, CLASSES + 1)]
    return {"images": images, "annotations": annotations, "categories": kinds}


def count_case(labels: dict, rows: dict, protocol=VISDRONE):
    protocol = dataclasses.replace(protocol, max_dets=LIMITS)
    truth = guard_ground_truth(as_coco(labels), protocol, "random")
    return measure(truth, to_arrays(sum(rows.values(), [])), protocol, name="random").results


@pytest.mark.parametrize("seed", range(50))
def test_random_cases_equal_the_toolkits_rules(seed):
    labels, rows = make_case(seed)
    expected = toolkit(labels, rows)
    found = count_case(labels, rows)
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "rule",
    [
        {"limit_per": "category"},
        {"recall_points": 101},
        {"recall_of": "counted"},
        {"mean_over": "categories"},
        {"region_rule": "area"},
        {"region_keys": ("ignore_regions", "other_objects")},
    ],
)
def test_each_rule_changes_some_case(rule):
    cases = [make_case(seed) for seed in range(50)]
    other = dataclasses.replace(VISDRONE, **rule)
    changed = [count_case(*case) != count_case(*case, other) for case in cases]
    assert 0 < sum(changed)


def one_image(*boxes: dict, **image) -> dict:
    content = coco(boxes, kinds={1: "car", 2: "bus"})
    content["images"][0].update(image)
    return content


def counted(content: dict, *detections: tuple[int, list, float]):
    keys = ("category_id", "bbox", "score")
    rows = [{"image_id": 1, **dict(zip(keys, row, strict=True))} for row in detections]
    truth = guard_ground_truth(content, VISDRONE, "one")
    return count(truth, to_arrays(rows), VISDRONE)


CAR = [10, 10, 10, 10]


def test_the_limit_is_of_the_image_and_not_of_each_class():
    """A bus that stands before the car takes its place among the first one, at any score."""
    content = one_image({"bbox": CAR}, {"bbox": [50, 50, 9, 9], "category_id": 2})
    counts = counted(content, (2, [50, 50, 9, 9], 0.7), (1, CAR, 0.8))
    assert [counts.ar(limit=limit) for limit in (0, 1)] == [50.0, 100.0]
    assert counts.ar(limit=0, category=0) == 0.0


def test_the_area_under_the_curve_is_not_a_mean_over_101_recalls():
    """Right, wrong, right of three objects: 1/3 at precision 1, 1/3 at precision 2/3."""
    boxes = [CAR, [30, 10, 10, 10], [50, 10, 10, 10]]
    content = one_image(*({"bbox": box} for box in boxes))
    found = [(1, CAR, 0.9), (1, [80, 80, 10, 10], 0.8), (1, boxes[1], 0.7)]
    assert counted(content, *found).ap(category=0) == pytest.approx(100 * (1 / 3 + 2 / 9))


def test_a_box_of_score_0_excuses_and_is_missed():
    content = one_image({"bbox": CAR}, {"bbox": [50, 50, 20, 20], "iscrowd": 1})
    counts = counted(content, (1, [52, 52, 9, 9], 0.9), (1, [60, 60, 9, 9], 0.8), (1, CAR, 0.7))
    assert (counts.ap(), counts.ar()) == (50.0, 50.0)


def test_others_excuse_nothing():
    content = one_image({"bbox": CAR}, other_objects=[[50, 50, 20, 20]])
    counts = counted(content, (1, [52, 52, 9, 9], 0.9), (1, CAR, 0.8))
    assert (counts.ap(), counts.excused) == (50.0, (0, 0))
