"""Hints on detections of another convention: AP stays what it is, and a line says what they are."""

import numpy as np
import pytest

from d2freq.evaluation.coco.guard import Detections, guard_ground_truth
from d2freq.evaluation.coco.hints import hints
from d2freq.evaluation.coco.measure import measure
from d2freq.evaluation.protocols import get_protocol
from tests.d2freq.coco_cases import coco

RNG = np.random.default_rng(0)
SIDE = np.array([400.0, 300.0])
BOXES = np.hstack([RNG.random((40, 2)) * (SIDE - 30), RNG.random((40, 2)) * 20 + 6])
IMAGES = np.repeat(np.arange(1, 5), 10)


def corners(boxes):
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


WRITTEN = {
    "corners": (corners, "read as corners"),
    "shares": (lambda b: b / np.tile(SIDE, 2), "read as shares of the image's width"),
    "corner shares": (lambda b: corners(b) / np.tile(SIDE, 2), "corners in shares"),
    "twice as large": (lambda b: b * 2, "pictures resized by 2 "),
    "half as large": (lambda b: b / 2, "pictures resized by 0.5 "),
    "a longer side of 640": (lambda b: b * 1.6, "longer side of 640 pixels"),
    "800 x 800": (lambda b: b * np.tile(800 / SIDE, 2), "size of 800 x 800 pixels"),
    "centres": (lambda b: np.hstack([b[:, :2] + b[:, 2:] / 2, b[:, 2:]]), "centres with width"),
    "y before x": (lambda b: b[:, [1, 0, 3, 2]], "y before x"),
}


@pytest.fixture(scope="module")
def truth():
    rows = zip(BOXES.tolist(), IMAGES.tolist(), strict=True)
    data = coco(
        [{"bbox": box, "image_id": image} for box, image in rows],
        images=range(1, 5),
        size=(400, 300),
    )
    return guard_ground_truth(data, get_protocol("aitod"), "truth.json")


def found(boxes, wrong=0):
    """Detections of all objects, and of ``wrong`` places in each image with lower scores."""
    count = len(boxes)
    others = np.hstack([RNG.random((4 * wrong, 2)) * 200, np.full((4 * wrong, 2), 9.0)])
    image = np.concatenate([IMAGES, np.repeat(np.arange(1, 5), wrong)])
    score = np.concatenate([np.linspace(0.9, 0.5, count), np.full(4 * wrong, 0.1)])
    xywh = np.concatenate([boxes, others])
    return Detections(image, np.ones(len(image), np.int64), xywh, score)


# false alarms are in pixels, beside which boxes in shares are no longer all of one convention
@pytest.mark.parametrize(
    ("case", "wrong"),
    [*((case, 0) for case in WRITTEN), *((case, 30) for case in WRITTEN if "shares" not in case)],
)
def test_what_they_seem_to_be(case, wrong, truth):
    write, said = WRITTEN[case]
    (line,) = hints(truth, found(write(BOXES), wrong))
    assert line.startswith("hint: ") and said in line


def test_the_measure_stays_and_says_it(truth):
    detections = found(corners(BOXES))
    told = measure(truth, detections, get_protocol("aitod"), name="truth.json")
    assert told.results["AP"] < 1
    assert "% of the boxes leave their image; read as corners" in told.text
    assert told.record["hints"]
    sound = measure(truth, found(BOXES), get_protocol("aitod"), name="truth.json")
    assert "hint" not in sound.text and "hints" not in sound.record


def test_a_poor_detector_gets_no_hint(truth):
    boxes = np.hstack([RNG.random((40, 2)) * (SIDE - 30), RNG.random((40, 2)) * 20 + 6])
    assert hints(truth, found(boxes)) == []
    assert hints(truth, found(BOXES + 3)) == []
    assert hints(truth, found(BOXES).select(np.zeros(40, bool))) == []


@pytest.mark.parametrize(("own", "said"), [(0, True), (2, True), (8, False), (40, False)])
def test_classes_of_another_data_set(own, said):
    """Boat and buoy exchanged, but for a few detections: AP is 0, though every box fits."""
    kinds = np.tile([1, 2], 20)
    rows = zip(BOXES.tolist(), IMAGES.tolist(), kinds.tolist(), strict=True)
    data = coco(
        [{"bbox": box, "image_id": image, "category_id": kind} for box, image, kind in rows],
        kinds={1: "buoy", 2: "boat"},
        images=range(1, 5),
        size=(400, 300),
    )
    truth = guard_ground_truth(data, get_protocol("aitod"), "truth.json")
    exchanged = np.where(np.arange(40) < own, kinds, 3 - kinds)
    score = np.linspace(0.9, 0.5, 40)
    lines = hints(truth, Detections(IMAGES, exchanged, BOXES, score))
    assert len(lines) == said
    if said:
        assert lines[0].startswith("hint: 100 % of the best detections overlap an object by half")
        both = ("2 (boat) lie on 1 (buoy)", "1 (buoy) lie on 2 (boat)")
        assert any(words in lines[0] for words in both) and "validate --against" in lines[0]
