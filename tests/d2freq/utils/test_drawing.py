"""Labels that cover nothing, a scale of round length, and the colours of the report."""

import re
from pathlib import Path

import numpy as np
import pytest

import d2freq
from d2freq.utils.drawing import ALARM, HIT, MISSED, Labels, add_scale

SCRIPT = Path(d2freq.__file__).parent / "inference/report/page/script/data.js"


def test_the_report_has_the_same_colours():
    own = dict(re.findall(r'\[(HIT|ALARM|MISSED)\]: "#(\w{6})"', SCRIPT.read_text()))
    colours = {"HIT": HIT, "ALARM": ALARM, "MISSED": MISSED}
    assert own == {name: bytes(colour).hex() for name, colour in colours.items()}


def test_labels_cover_neither_boxes_nor_each_other():
    """Of a row of boxes that touch, each with a label that is longer than itself."""
    boxes = np.array([[20 + 22 * n, 60, 40 + 22 * n, 80] for n in range(6)])
    drawing = np.full((140, 220, 3), 200, np.uint8)
    labels = Labels(drawing, boxes)
    places = []
    for box in boxes:
        before = drawing.copy()
        if labels.write("vehicle 0.87", box, HIT):
            places.append((drawing != before).any(2))
            assert places[-1].sum() > 300
    assert 2 <= len(places) < len(boxes)
    assert np.sum(places, axis=0).max() == 1
    for x0, y0, x1, y1 in boxes.tolist():
        assert (drawing[y0:y1, x0:x1] == 200).all()


def test_a_label_without_room_is_left_out():
    drawing = np.full((12, 12, 3), 9, np.uint8)
    assert not Labels(drawing, np.zeros((0, 4))).write("ship", (2, 2, 8, 8), HIT)
    assert (drawing == 9).all()


@pytest.mark.parametrize(
    ("wide", "zoom", "pixels"), [(1024, 4.0, 20), (1024, 1.0, 100), (4096, 0.1, 5000)]
)
def test_the_scale_is_a_round_number_of_pixels_long(wide, zoom, pixels):
    strip = np.full((30, wide, 3), 255, np.uint8)
    add_scale(strip, zoom, middle=15)
    ends = np.flatnonzero((strip[10:21] < 90).all((0, 2)))  # the two strokes at its ends
    assert ends[-1] - ends[0] == pytest.approx(pixels * zoom, abs=1)


def test_a_narrow_picture_has_no_scale():
    strip = np.full((30, 40, 3), 255, np.uint8)
    add_scale(strip, 4.0, middle=15)
    assert (strip == 255).all()
