"""Ignore regions: worked by hand, and against counting pixels."""

import numpy as np
import pytest

from d2freq.errors import DatasetError
from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.guard import Detections, guard_ground_truth
from d2freq.evaluation.coco.measure import measure
from d2freq.evaluation.coco.regions import covered_area

from ...coco_cases import coco

VISDRONE = get_protocol("visdrone-coco")
BOX = [10, 10, 10, 10]
# Two overlapping regions: together x 50 to 80, y 50 to 70.
REGIONS = [[50, 50, 20, 20], [60, 50, 20, 20]]


def truth(boxes: list, protocol=VISDRONE, regions: object = REGIONS):
    content = coco(({"bbox": box} for box in boxes), images=(1, 2), kinds={1: "car", 2: "bus"})
    content["images"][0]["ignore_regions"] = regions
    return guard_ground_truth(content, protocol, "regions.json")


def detections(boxes: list, image: int = 1) -> Detections:
    """The first is the best."""
    ids = np.ones(len(boxes), np.int64)
    return Detections(ids * image, ids, np.array(boxes, float), np.linspace(0.9, 0.1, len(boxes)))


@pytest.mark.parametrize(
    ("box", "excused"),
    [
        ([45, 50, 10, 10], True),  # half of it
        ([44, 50, 10, 10], False),  # 40 %
        ([75, 55, 10, 10], True),  # half of it, in the second region
        ([55, 45, 20, 10], True),  # a quarter in each region and a quarter in both: half of it
        ([55, 44, 20, 10], False),  # 40 %, which counted region by region would be 60 %
        ([0, 0, 99, 99], False),  # it covers both, but little of it is inside
    ],
)
def test_a_false_alarm_is_excused_from_half_of_its_area_on(box, excused):
    counts = count(truth([BOX]), detections([box, BOX]), VISDRONE)
    assert counts.ap(iou=0.5) == pytest.approx(100.0 if excused else 50.0)
    assert counts.excused == (int(excused), 0)


def test_regions_belong_to_their_image_and_to_protocols_that_know_them():
    inside = [52, 52, 10, 10]
    elsewhere = detections([inside], image=2)
    assert count(truth([BOX]), elsewhere, VISDRONE).excused == (0, 0)
    aitod = get_protocol("aitod")
    counts = count(truth([BOX], aitod), detections([inside, BOX]), aitod)
    assert (counts.ap(iou=0.5), counts.excused) == (pytest.approx(50.0), (0, 0))


def test_the_limit_cuts_after_the_excused_are_gone():
    """500 excused detections before the hit: with a limit of 500 it still counts."""
    counts = count(truth([BOX]), detections([[52, 52, 10, 10]] * 500 + [BOX]), VISDRONE)
    assert (counts.ap(), counts.ar(limit=0), counts.excused) == (100.0, 100.0, (500, 0))


def test_ground_truth_inside_a_region_does_not_count():
    counts = count(truth([BOX, [52, 52, 10, 10]]), detections([BOX]), VISDRONE)
    assert (counts.ap(), counts.ar(), counts.excused) == (100.0, 100.0, (0, 1))


def test_what_regions_take_out_is_said_and_recorded():
    checked, found = truth([BOX, [52, 52, 10, 10]]), detections([[52, 52, 10, 10]] * 3 + [BOX])
    measured = measure(checked, found, VISDRONE, name="regions.json")
    assert "3 detections and 1 boxes in ignore regions are left out" in measured.text
    assert measured.record["in_ignore_regions"] == {"detections": 3, "ground_truth": 1}
    plain = measure(checked, found.select(np.array([3])), get_protocol("aitod"), name="r.json")
    assert "ignore regions" not in plain.text


def test_selecting_images_selects_their_regions():
    checked = truth([BOX])
    assert checked.region_image_id.tolist() == [1, 1]
    assert checked.region_xywh.tolist() == REGIONS
    assert len(checked.select([2]).region_xywh) == 0


def test_malformed_regions_are_refused():
    with pytest.raises(DatasetError, match=r"regions\.json.*\n.*ignore region"):
        truth([BOX], regions=[[1, 2, 3]])


@pytest.mark.parametrize("seed", range(5))
def test_covered_area_equals_counted_pixels(seed):
    rng = np.random.default_rng(seed)
    regions = rng.integers(1, 25, (rng.integers(1, 9), 4))
    boxes = rng.integers(1, 25, (30, 4))
    pixels = np.zeros((60, 60), bool)
    for x, y, w, h in regions:
        pixels[y : y + h, x : x + w] = True
    expected = [pixels[y : y + h, x : x + w].sum() for x, y, w, h in boxes]
    assert covered_area(boxes.astype(float), regions.astype(float)).tolist() == expected
