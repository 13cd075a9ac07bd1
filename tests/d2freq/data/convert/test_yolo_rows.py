"""Rows of YOLO labels that could be read in two ways: by data.yaml, or refused with both."""

from collections import Counter

import numpy as np
import pytest

from d2freq.data.convert.yolo_rows import CONFIDENCE, TRACK, RowForm, read_rows
from d2freq.errors import UserError


def read(*texts, **form):
    notes: Counter = Counter()
    lines = [(f"a.txt, line {n}", text) for n, text in enumerate(texts, start=1)]
    return read_rows(lines, RowForm(**form), notes), dict(+notes)


def test_confidence_and_track_are_never_a_triangle():
    both = ("0 .5 .5 .1 .1 .91 1", "0 .2 .2 .1 .1 .88 2")
    with pytest.raises(UserError, match=r"a.txt, line 1: .*triangle and class cx cy w h confid"):
        read(*both)
    rows, notes = read(*both, kind="boxes")
    assert [row.box for row in rows] == [
        pytest.approx((0.45, 0.45, 0.1, 0.1)),
        pytest.approx((0.15, 0.15, 0.1, 0.1)),
    ]
    assert notes == {CONFIDENCE: 2, TRACK: 2}
    (row,), _ = read(both[1])  # a corner beyond 1 there is none
    assert row.box == pytest.approx((0.15, 0.15, 0.1, 0.1)) and not row.polygon
    (row,), _ = read(both[0], kind="polygons")
    assert row.polygon == (0.5, 0.5, 0.1, 0.1, 0.91, 1)
    (row,), notes = read("0 .5 .5 .1 .1 7")  # a track without its confidence
    assert row.box == pytest.approx((0.45, 0.45, 0.1, 0.1)) and notes == {TRACK: 1}


def test_a_triangle_is_one():
    (row,), notes = read("1 0.1 0.1 0.3 0.2 0.2 0.4")
    assert row.polygon == (0.1, 0.1, 0.3, 0.2, 0.2, 0.4) and not notes
    assert row.box == pytest.approx((0.1, 0.1, 0.2, 0.3))


@pytest.mark.parametrize("points", [2, 17])
@pytest.mark.parametrize("each", [2, 3])
def test_poses_by_kpt_shape(points, each):
    random = np.random.default_rng(points)
    keypoints = random.uniform(0.4, 0.6, (points, each))
    keypoints[:, 2:] = random.integers(0, 3, (points, each - 2))
    text = " ".join(map(str, [0, 0.5, 0.5, 0.2, 0.2, *keypoints.ravel().tolist()]))
    (row,), notes = read(text, keypoints=(points, each), told=True)
    assert row.box == pytest.approx((0.4, 0.4, 0.2, 0.2)) and not row.polygon and not notes
    found = np.reshape(row.keypoints, (points, 3))
    assert np.array_equal(found[:, :2], keypoints[:, :2])
    assert found[:, 2].tolist() == (keypoints[:, 2].tolist() if each == 3 else [2] * points)
    (row,), notes = read(f"{text} 0.9 4", keypoints=(points, each), told=True)
    assert notes == {CONFIDENCE: 1, TRACK: 1}
    with pytest.raises(UserError, match=r"but kpt_shape \[\d+, \d\] in data.yaml makes it"):
        read("0 .1 .1 .2 .2 .3 .3 .4", keypoints=(points, each), told=True)


def test_poses_without_kpt_shape_are_no_polygons():
    pose = "0 .5 .5 .2 .2 .45 .45 2 .55 .55 1"
    with pytest.raises(UserError, match="two readings, a polygon and .*keypoints.*kpt_shape"):
        read(pose)
    with pytest.raises(UserError, match="no polygon, whose corners.*kpt_shape"):
        read(pose, told=True)
    with pytest.raises(UserError, match=r"10 numbers.*keypoints need kpt_shape"):
        read("0 .5 .5 .2 .2 .45 .45 2 .55 .55", told=True)
    (row,), _ = read("0 .1 .1 .3 .1 .3 .3 .2 .4 .1 .3")  # its points lie around no box
    assert len(row.polygon) == 10


def test_a_point_that_is_not_labelled():
    (row,), _ = read("0 .5 .5 .2 .2 0 0 .45 .55", keypoints=(2, 2), told=True)
    assert row.keypoints == (0, 0, 0, 0.45, 0.55, 2)


def test_boxes_among_polygons():
    (box, polygon), _ = read("0 .5 .5 .2 .2", "0 .1 .1 .3 .2 .2 1", kind="polygons")
    assert not box.polygon and polygon.polygon[-1] == 1
