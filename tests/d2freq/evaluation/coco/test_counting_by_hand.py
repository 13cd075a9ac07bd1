"""Counts worked by hand: ends of ranges, equal overlaps, the limit that AP is taken at."""

import dataclasses
import math

import numpy as np
import pytest

from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.guard import Detections, guard_ground_truth
from d2freq.evaluation.protocols import Protocol

from ...coco_cases import coco


def measure(boxes: list, found: list, scores: list, protocol: Protocol):
    """Counts of one image and class; boxes and detections are [x, y, width, height]."""
    content = coco({"bbox": box} for box in boxes)
    ids = np.ones(len(found), np.int64)
    detections = Detections(ids, ids, np.array(found, float), np.array(scores, float))
    return count(guard_ground_truth(content, protocol, "by hand"), detections, protocol)


@pytest.mark.parametrize(
    ("name", "side", "labels"),
    [
        ("aitod", (8, 8), {"vt", "t"}),
        ("aitod", (7.9, 8), {"vt"}),
        ("aitod", (8.1, 8), {"t"}),
        ("aitod", (16, 16), {"t", "s"}),
        ("aitod", (16, 64), {"s", "m"}),
        ("tinyperson", (1, 1), {"tiny", "tiny1"}),
        ("tinyperson", (9, 16), {"tiny", "tiny2", "tiny3"}),
        ("tinyperson", (20, 20), {"tiny", "tiny3", "small"}),
        ("soda-d", (12, 12), {"S", "eS", "rS"}),
        ("soda-d", (32, 32), {"S", "gS", "N"}),
        ("soda-d", (40, 50), {"N"}),
        ("soda-d", (40, 50.1), set()),
        ("coco", (32, 32), {"s", "m"}),
        ("coco", (60, 60), {"m"}),
    ],
)
def test_a_box_on_the_end_of_a_range_is_in_both(name, side, labels):
    protocol = get_protocol(name)
    counts = measure([[5, 5, *side]], [[5, 5, *side]], [0.5], protocol)
    found = {area.label for area in protocol.areas if counts.ap(area.label) == 100.0}
    assert found == labels
    assert all(
        math.isnan(counts.ap(area.label)) for area in protocol.areas if area.label not in found
    )
    assert counts.ap() == 100.0


def test_whole_range_of_tinyperson_begins_at_one_pixel():
    box = [5, 5, 0.5, 1]
    assert math.isnan(measure([box], [box], [0.5], get_protocol("tinyperson")).ap())
    assert measure([box], [box], [0.5], get_protocol("aitod")).ap() == 100.0


def test_of_two_boxes_that_overlap_equally_the_later_is_taken():
    """The first detection lies amid both boxes; the second is the left one, if that is free."""
    left, right = [0, 0, 10, 10], [4, 0, 10, 10]
    found, aitod = [[2, 0, 10, 10], left], get_protocol("aitod")
    counts = [measure(boxes, found, [0.9, 0.8], aitod) for boxes in ([left, right], [right, left])]
    assert [c.recall[0, 0, 0, -1] for c in counts] == [1.0, 0.5]


def test_precision_is_taken_at_the_limit_that_the_protocol_names():
    """Two false alarms before the hit: of three detections one is right, of two none."""
    hit, alarms = [5, 5, 8, 8], [[10, 60, 8, 8], [30, 60, 8, 8]]
    protocol = dataclasses.replace(get_protocol("aitod"), max_dets=(2, 3), ap_limit=2)
    counts = measure([hit], [*alarms, hit], [0.9, 0.9, 0.5], protocol)
    assert (counts.ap(), counts.ar(), counts.olrp.olrp[0, 0]) == (0.0, 100.0, 1.0)
    protocol = dataclasses.replace(protocol, ap_limit=None)
    counts = measure([hit], [*alarms, hit], [0.9, 0.9, 0.5], protocol)
    assert counts.ap() == pytest.approx(100 / 3)
