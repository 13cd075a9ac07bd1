"""Counts against pycocotools with the same parameters, on random cases under each protocol."""

import contextlib
import copy
import dataclasses
import io
import os

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from d2freq.evaluation import PROTOCOLS, get_protocol
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.guard import guard_ground_truth
from d2freq.evaluation.coco.matching import match
from d2freq.evaluation.protocols import Protocol

from ...coco_cases import coco
from .evaluator_cases import to_arrays

# of each protocol; pycocotools takes some 20 ms a case, so more of them are asked for by hand
CASES = int(os.environ.get("D2FREQ_RANDOM_CASES", "250"))
NAMES = ("aitod", "visdrone", "visdrone-coco", "tinyperson", "soda-d", "coco")
# What pycocotools knows; the other rules are in test_tinyperson.py and test_visdrone.py.
COCO_RULES = {"excuse": "flagged", "limit_per": "category", "recall_points": 101}
COCO_RULES |= {"recall_of": "counted", "mean_over": "categories"}
# Boxes whose area is exactly an end of some range, and some that are not.
SIDES = np.array(
    [(8, 8), (4, 16), (12, 12), (9, 16), (16, 16), (20, 20), (10, 40), (32, 32), (16, 64)]
    + [(40, 50), (96, 96), (1, 1), (2, 3), (7, 9), (15, 17), (25, 30), (45, 60)]
)


def make_case(rng: np.random.Generator) -> tuple[dict, list[dict]]:
    """Few images and classes; some of either empty, crowds, ignore flags, ties, close boxes."""
    images, kinds = [3, 8, 9, 20][: rng.integers(1, 5)], [2, 5, 7][: rng.integers(1, 4)]
    boxes = rng.integers(0, 9) if rng.random() < 0.9 else 0
    annotations = []
    for _ in range(boxes):
        width, height = SIDES[rng.integers(len(SIDES))].tolist()
        x, y = rng.integers(0, 30, 2).tolist()
        record = {"image_id": int(rng.choice(images)), "bbox": [x, y, width, height]}
        record |= {"category_id": int(rng.choice(kinds[:2]))}
        record |= {"iscrowd": int(rng.random() < 0.15), "ignore": int(rng.random() < 0.15)}
        annotations.append(record)
    content = coco(annotations, images=images, kinds=kinds, size=(200, 200))
    return content, make_detections(rng, content, int(rng.integers(0, 15)))


def make_detections(rng, content: dict, false_alarms: int) -> list[dict]:
    rows = []
    for annotation in content["annotations"]:
        for _ in range(rng.integers(0, 4)):
            shift = rng.integers(-2, 3, 4) if rng.random() < 0.7 else np.zeros(4)
            box = np.maximum(np.array(annotation["bbox"]) + shift, [0, 0, 1, 1])
            rows.append((annotation["image_id"], annotation["category_id"], box))
    for _ in range(false_alarms):
        box = np.concatenate([rng.integers(0, 40, 2), SIDES[rng.integers(len(SIDES))]])
        image, kind = (
            rng.choice([r["id"] for r in content[key]]) for key in ("images", "categories")
        )
        rows.append((int(image), int(kind), box))
    return [
        {"image_id": i, "category_id": k, "bbox": b.astype(float).tolist(), "score": s}
        for (i, k, b), s in zip(rows, rng.random(len(rows)).round(1).tolist(), strict=True)
    ]


def reference(content: dict, rows: list[dict], protocol: Protocol):
    """Precision and recall of pycocotools under ``protocol``."""
    content, rows = copy.deepcopy((content, rows))
    if protocol.ignore == "left out":
        flags = ("iscrowd", "ignore")
        kept = [a for a in content["annotations"] if not any(a.get(flag) for flag in flags)]
        content["annotations"] = kept
    elif protocol.ignore == "iscrowd or ignore":  # pycocotools knows one flag
        for annotation in content["annotations"]:
            annotation["iscrowd"] = annotation["iscrowd"] or annotation.get("ignore", 0)
    with contextlib.redirect_stdout(io.StringIO()):
        truth, found = COCO(), COCO()
        truth.dataset = content
        truth.createIndex()
        if rows:
            found = truth.loadRes(rows)
        else:  # loadRes raises an IndexError
            found.dataset = {**content, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.maxDets = list(protocol.max_dets)
        evaluation.params.iouThrs = np.array(protocol.iou_thresholds)
        evaluation.params.recThrs = np.linspace(0, 1, protocol.recall_points)
        evaluation.params.areaRng = [[area.low, area.high] for area in protocol.all_areas]
        evaluation.params.areaRngLbl = [area.label for area in protocol.all_areas]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"], evaluation.eval["recall"]


def difference(content: dict, rows: list[dict], protocol: Protocol) -> float:
    precision, recall = reference(content, rows, protocol)
    counts = count(guard_ground_truth(content, protocol, "random"), to_arrays(rows), protocol)
    assert (counts.precision.shape, counts.recall.shape) == (precision.shape, recall.shape)
    return max(np.abs(counts.precision - precision).max(), np.abs(counts.recall - recall).max())


def check(name: str, seeds: range) -> None:
    protocol = dataclasses.replace(get_protocol(name), **COCO_RULES)
    few = dataclasses.replace(protocol, max_dets=(1, 3, 8), ap_limit=None)  # limits that do cut
    for seed in seeds:
        case = make_case(np.random.default_rng(seed))
        assert difference(*case, few if seed % 2 else protocol) <= 1e-12, seed


def test_these_are_all_protocols():
    assert {*NAMES, "irstd"} == set(PROTOCOLS)  # irstd counts no boxes


@pytest.mark.parametrize("place", range(len(NAMES)))
def test_random_cases_equal_pycocotools(place):
    check(NAMES[place], range(CASES * place, CASES * (place + 1)))


@pytest.mark.parametrize("name", ["aitod", "soda-d"])
def test_crowded_image_equals_pycocotools(name):
    """Two thousand detections in one image: every limit cuts."""
    rng = np.random.default_rng(1)
    content, _ = make_case(rng)
    corners, sides = rng.integers(0, 150, (120, 2)), SIDES[rng.integers(0, 7, 120)]
    content["annotations"] = [
        {"id": n, "image_id": 3, "category_id": 2, "bbox": box, "area": box[2] * box[3]}
        | {"iscrowd": 0}
        for n, box in enumerate(np.hstack([corners, sides]).astype(float).tolist(), start=1)
    ]
    rows = make_detections(rng, content, 1800)
    rows = [{**row, "image_id": 3, "category_id": 2} for row in rows]
    protocol = get_protocol(name)
    assert difference(content, rows, protocol) <= 1e-12
    counts = count(guard_ground_truth(content, protocol, "crowded"), to_arrays(rows), protocol)
    recalls = [counts.ar(limit=limit) for limit in range(3)]
    assert recalls == sorted(set(recalls))


def test_counting_in_chunks_changes_nothing(monkeypatch):
    monkeypatch.setattr("d2freq.evaluation.coco.matching.CHUNK", 4)
    check("aitod", range(40))


def test_every_detection_is_counted_by_the_progress_bar():
    protocol = dataclasses.replace(get_protocol("coco"), max_dets=(2,))
    content, rows = make_case(np.random.default_rng(5))
    truth, steps = guard_ground_truth(content, protocol, "random"), []
    match(truth, to_arrays(rows), protocol, steps.append)
    assert sum(steps) == len(rows) > 8


def test_a_threshold_of_one_takes_equal_boxes_as_pycocotools_does():
    """The overlap of a box with itself may fall a bit short of 1."""
    protocol = dataclasses.replace(get_protocol("aitod"), iou_thresholds=(0.5, 1.0))
    rng = np.random.default_rng(0)
    content, _ = make_case(rng)
    content["annotations"] = [
        {"id": n, "image_id": 3, "category_id": 2, "bbox": box, "area": 64.0, "iscrowd": 0}
        for n, box in enumerate(rng.uniform(1, 9, (40, 4)).tolist(), start=1)
    ]
    keys = ("image_id", "category_id", "bbox")
    rows = [{key: a[key] for key in keys} | {"score": 0.5} for a in content["annotations"]]
    counts = count(guard_ground_truth(content, protocol, "same"), to_arrays(rows), protocol)
    assert difference(content, rows, protocol) <= 1e-12
    assert counts.recall[1, 0, 0, -1] == 1.0
