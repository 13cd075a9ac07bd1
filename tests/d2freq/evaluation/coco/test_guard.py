"""The guard in front of the count: each fault is refused, or repaired or dropped and counted."""

import numpy as np
import pytest

from d2freq.errors import DatasetError
from d2freq.evaluation import DetectionError, get_protocol
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.guard import guard_detections, guard_ground_truth

from ...coco_cases import coco
from .evaluator_cases import to_arrays

AITOD = get_protocol("aitod")

ONE = coco([{"bbox": [9, 9, 6, 6]}], kinds={1: "ship"}, size=(64, 64))
HIT = {"image_id": 1, "category_id": 1, "bbox": [9.0, 9.0, 6.0, 6.0], "score": 0.9}


def score(truth: dict, rows: list[dict], strict: bool = False):
    checked = guard_ground_truth(truth, AITOD, "one.json")
    found = guard_detections(to_arrays(rows), checked, strict=strict)
    return count(checked, found, AITOD).ap(), checked, found


def with_annotation(**changes) -> dict:
    return {**ONE, "annotations": [{**ONE["annotations"][0], **changes}]}


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        ({"score": float("nan")}, "score is NaN or infinite"),
        ({"bbox": [float("nan"), 9, 6, 6]}, "box is NaN or infinite"),
        ({"bbox": [9, 9, -6, 6]}, "width or height is negative"),
    ],
)
def test_broken_detection_is_dropped_and_counted(broken, kind):
    ap, _, found = score(ONE, [{**HIT, **broken}])
    assert (ap, found.dropped) == (0.0, {kind: 1})
    ap, _, found = score(ONE, [{**HIT, **broken}, HIT])
    assert ap == pytest.approx(100.0)
    with pytest.raises(DetectionError, match=kind):
        score(ONE, [HIT, {**HIT, **broken}], strict=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"image_id": 5}, r"image ids.*5 \(1 x\)"), ({"category_id": 4}, r"category ids.*4 \(1 x\)")],
)
def test_detection_of_unknown_image_or_category_is_refused(changes, message):
    with pytest.raises(DetectionError, match=message):
        score(ONE, [{**HIT, **changes}])


@pytest.mark.parametrize(
    ("changes", "ap", "repair"),
    [
        ({"id": 0}, 100.0, "annotation id 0"),
        ({"bbox": [9, 9, 0, 6]}, float("nan"), "empty box"),
        ({"bbox": [9, 9, -6, 6]}, float("nan"), "negative width or height"),
        ({"ignore": 1}, 100.0, "ignore flag"),
        ({"bbox": [90, 9, 6, 6]}, float("nan"), "box outside its image"),
        ({"bbox": [-6, 9, 6, 6]}, float("nan"), "box outside its image"),  # it touches the border
        ({"bbox": [9, 64, 6, 6]}, float("nan"), "box outside its image"),
    ],
)
def test_ground_truth_is_repaired_and_the_repair_counted(changes, ap, repair):
    found, checked, _ = score(with_annotation(**changes), [HIT])
    assert found == pytest.approx(ap, nan_ok=True)
    assert {fault.kind: fault.count for fault in checked.report.repairs} == {repair: 1}
    assert repair in checked.report.warning()


def test_missing_area_becomes_width_times_height():
    truth = with_annotation()
    del truth["annotations"][0]["area"]
    ap, checked, _ = score(truth, [HIT])
    assert ap == pytest.approx(100.0)
    assert checked.area.tolist() == [36.0]
    assert [fault.kind for fault in checked.report.repairs] == ["no area"]


def test_duplicate_annotation_id_and_unknown_category_are_refused():
    with pytest.raises(DatasetError, match="duplicate annotation id"):
        score({**ONE, "annotations": ONE["annotations"] * 2}, [HIT])
    with pytest.raises(DatasetError, match=r"unknown category_id.*category_id 8"):
        score(with_annotation(category_id=8), [HIT])


def test_counts_of_what_was_dropped_add_up():
    rows = [HIT, {**HIT, "score": float("nan")}]
    found = to_arrays(rows).select(np.array([0, 1]), {"seen before": 2})
    checked = guard_ground_truth(ONE, AITOD, "one.json")
    dropped = guard_detections(found, checked).dropped
    assert dropped == {"seen before": 2, "score is NaN or infinite": 1}


@pytest.mark.parametrize(
    ("name", "kind", "cure"),
    [
        ("visdrone", "ignore flag", "Counted as a crowd region"),
        ("aitod", "ignore flag", "Counted as any other box: protocol aitod goes by iscrowd alone"),
        ("coco", "ignore flag", "Counted as any other box: protocol coco goes by iscrowd alone"),
        ("soda-d", "ignored box", "Left out by protocol soda-d"),
    ],
)
def test_the_warning_says_what_the_protocol_makes_of_an_ignore_flag(name, kind, cure):
    truth = guard_ground_truth(with_annotation(ignore=1), get_protocol(name), "one.json")
    (fault,) = truth.report.repairs
    assert (fault.kind, fault.count) == (kind, 1)
    assert fault.cure.startswith(cure)
