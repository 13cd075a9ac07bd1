"""TinyPerson's rule: what is ignored in a size class, whatever for, excuses by IoD.

The benchmark takes a detection that matched nothing out of the count where it lies in a box that is
ignored in the size class at hand: flagged as ``ignore`` or ``uncertain``, or a person of another
size. COCO lets a person of another size excuse one detection, by IoU.
"""

import dataclasses

import numpy as np
import pytest

from d2freq.data.convert.tinyperson import merge_persons
from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.guard import guard_ground_truth

from ...coco_cases import coco
from .evaluator_cases import to_arrays
from .naive import MISS, by_score, greedy, precisions
from .test_counting import make_case

TINYPERSON = get_protocol("tinyperson")
FLAGS = ("iscrowd", "ignore", "uncertain", "logo")


def naive(content: dict, rows: list[dict], category: int, area, threshold: float, limit: int):
    """Precision at 101 recalls, and recall, of a category in a size class."""

    def inside(size: float) -> bool:
        return area.low <= size <= area.high

    own = [a for a in content["annotations"] if a["category_id"] == category]
    solid = [a for a in own if not any(a.get(flag) for flag in FLAGS) and inside(a["area"])]
    if not solid:
        return [-1.0] * 101, -1.0
    judged = []
    for image in sorted(record["id"] for record in content["images"]):
        found = [r for r in rows if (r["image_id"], r["category_id"]) == (image, category)]
        found = by_score(found)[:limit]
        here = [a for a in own if a["image_id"] == image]
        # of equal overlaps COCO takes the box that comes later in the file
        counted = [a["bbox"] for a in here if a in solid]
        excusing = [a["bbox"] for a in here if a not in solid]
        states = greedy(found, counted, excusing, threshold)
        for row, state in zip(found, states, strict=True):
            if state != MISS or inside(row["bbox"][2] * row["bbox"][3]):
                judged.append((row, state))
    judged.sort(key=lambda pair: -pair[0]["score"])
    points = precisions([state for _, state in judged], len(solid))
    best = [
        max((precision for recall, precision in points if recall >= level), default=0.0)
        for level in np.linspace(0, 1, 101)
    ]
    return best, max((recall for recall, _ in points), default=0.0)


def make_flagged_case(seed: int) -> tuple[dict, list[dict]]:
    """Small and large persons over each other, with every flag."""
    rng = np.random.default_rng(seed)
    content, rows = make_case(rng)
    for annotation in content["annotations"]:
        annotation |= {flag: int(rng.random() < 0.05) for flag in FLAGS}
        x, y, width, height = annotation["bbox"]
        for _ in range(3):  # parts of a person, or of what is ignored
            part = [x + width / 4, y + height / 4, width / 2, height / 2]
            keys = {key: annotation[key] for key in ("image_id", "category_id")}
            rows.append({**keys, "bbox": part, "score": round(rng.random(), 1)})
    return content, rows


@pytest.mark.parametrize("seed", range(50))
def test_random_cases_equal_plain_loops(seed):
    content, rows = make_flagged_case(seed)
    protocol = dataclasses.replace(TINYPERSON, max_dets=(4, 200))
    counts = count(guard_ground_truth(content, protocol, "random"), to_arrays(rows), protocol)
    kinds = sorted(category["id"] for category in content["categories"])
    for k, kind in enumerate(kinds):
        for a, area in enumerate(protocol.all_areas):
            for t, threshold in enumerate(protocol.iou_thresholds):
                for m, limit in enumerate(protocol.max_dets):
                    precision, recall = naive(content, rows, kind, area, threshold, limit)
                    assert counts.precision[t, :, k, a, m] == pytest.approx(precision, abs=1e-9)
                    assert counts.recall[t, k, a, m] == pytest.approx(recall, abs=1e-9)


def test_the_rule_changes_many_of_these_cases():
    plain = dataclasses.replace(TINYPERSON, excuse="flagged")
    changed = 0
    for seed in range(50):
        content, rows = make_flagged_case(seed)
        truth, found = guard_ground_truth(content, TINYPERSON, "random"), to_arrays(rows)
        ours, coco = (count(truth, found, protocol) for protocol in (TINYPERSON, plain))
        changed += not np.array_equal(ours.precision, coco.precision)
    assert changed > 10


def one_image(*boxes: dict) -> dict:
    return coco(boxes, kinds={1: "sea_person"}, size=(200, 200))


def rows_of(*boxes: list) -> list[dict]:
    """Detections by falling score."""
    head = {"image_id": 1, "category_id": 1}
    return [{**head, "bbox": box, "score": 0.9 - 0.1 * n} for n, box in enumerate(boxes)]


def test_a_person_of_another_size_excuses_every_detection_on_it():
    """Two detections of 7 x 7 on a person of 30 x 30, before the one that is right."""
    content = one_image({"bbox": [10, 10, 30, 30]}, {"bbox": [100, 100, 7, 7]})
    found = to_arrays(rows_of([12, 12, 7, 7], [30, 30, 7, 7], [100, 100, 7, 7]))
    truth = guard_ground_truth(content, TINYPERSON, "one")
    counts = count(truth, found, TINYPERSON)
    assert counts.ap("tiny1", iou=0.5) == 100.0
    assert counts.ap("all", iou=0.5) < 60.0  # there it is a person to be found, and is missed
    plain = dataclasses.replace(TINYPERSON, excuse="flagged")
    assert count(truth, found, plain).ap("tiny1", iou=0.5) == pytest.approx(100 / 3)


@pytest.mark.parametrize("flag", ["ignore", "uncertain", "logo"])
def test_published_files_count_the_same_without_convert(flag):
    content = one_image({"bbox": [10, 10, 40, 40], flag: True}, {"bbox": [100, 100, 7, 7]})
    found = to_arrays(rows_of([12, 12, 7, 7], [100, 100, 7, 7]))
    converted, _ = merge_persons(content, name="tiny_set_test.json")
    truths = [guard_ground_truth(file, TINYPERSON, "file") for file in (content, converted)]
    assert [truth.crowd.tolist() for truth in truths] == [[True, False]] * 2
    for truth in truths:
        assert count(truth, found, TINYPERSON).ap() == 100.0
    (said,) = truths[0].report.repairs
    assert (said.kind, said.count) == (f"{flag} flag", 1) and "crowd region" in said.cure
