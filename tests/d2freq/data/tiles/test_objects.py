"""What is seen of objects in a tile, against a loop over boxes and a count of points."""

import cv2
import numpy as np
import pytest

from d2freq.data.tiles.geometry import Window
from d2freq.data.tiles.objects import ImageObjects, clip_polygon, cut_regions, polygon_area


def naive(annotations, size, scale, window, min_visible):
    """Each box by itself, edge by edge."""
    found = []
    for annotation in annotations:
        x, y, w, h = annotation["bbox"]
        left, top = max(x, 0) * scale, max(y, 0) * scale
        right, bottom = min(x + w, size[0]) * scale, min(y + h, size[1]) * scale
        a, b = max(left, window.x), max(top, window.y)
        c, d = min(right, window.x + window.width), min(bottom, window.y + window.height)
        if c <= a or d <= b:
            continue
        share = (c - a) * (d - b) / ((right - left) * (bottom - top))
        crowd = int(annotation["iscrowd"] or share < min_visible)
        found.append((annotation["id"], a - window.x, b - window.y, c - a, d - b, share, crowd))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_cut_boxes_agree_with_a_loop(seed):
    rng = np.random.default_rng(seed)
    size, scale = (90, 70), float(rng.choice([0.5, 1.0, 2.0]))
    annotations = [
        {
            "id": i,
            "bbox": [*rng.uniform(-8, 80, 2), *rng.uniform(0.5, 40, 2)],
            "iscrowd": i % 5 == 0,
        }
        for i in range(40)
    ]
    annotations = [a for a in annotations if a["bbox"][0] < 90 and a["bbox"][1] < 70]
    objects = ImageObjects(annotations, size=size, scale=scale, min_visible=0.4)
    window = Window(*(int(v) for v in rng.integers(0, 20, 2)), 33, 21)
    seen = objects.seen_in(window)
    wanted = naive(annotations, size, scale, window, 0.4)
    assert [record["original_id"] for record in seen] == [want[0] for want in wanted]
    assert wanted
    for record, want in zip(seen, wanted, strict=True):
        np.testing.assert_allclose(record["bbox"], want[1:5], atol=1e-9)
        assert record.get("visible", 1.0) == pytest.approx(want[5])
        assert ("visible" in record) == (want[5] < 1 - 1e-9)
        assert record["iscrowd"] == want[6]
        assert record["area"] == pytest.approx(want[3] * want[4])


@pytest.mark.parametrize("seed", range(12))
def test_oriented_boxes_agree_with_a_count_of_points(seed):
    """Share and box of what a tile shows of a turned rectangle, by 0.05 px samples."""
    rng = np.random.default_rng(seed)
    turned = (rng.uniform(15, 45, 2), rng.uniform(10, 40, 2), float(rng.uniform(0, 90)))
    ring = cv2.boxPoints(tuple(map(tuple, turned[:2])) + (turned[2],)).astype(float)
    x, y = ring.min(0)
    w, h = ring.max(0) - ring.min(0)
    source = {"id": 7, "bbox": [x, y, w, h], "segmentation": [ring.ravel().tolist()], "area": w * h}
    objects = ImageObjects([source], size=(60, 60), scale=1.0, min_visible=0.5)
    window = Window(20, 18, 25, 30)
    grid = np.stack(np.meshgrid(*[np.arange(0.025, 60, 0.05)] * 2), -1).reshape(-1, 2)
    edges = np.roll(ring, -1, 0) - ring
    sides = [
        e[0] * (grid[:, 1] - p[1]) - e[1] * (grid[:, 0] - p[0])
        for p, e in zip(ring, edges, strict=True)
    ]
    inside = np.all(np.array(sides) >= 0, 0) | np.all(np.array(sides) <= 0, 0)
    in_tile = ((grid >= (20, 18)) & (grid <= (45, 48))).all(1)
    points = grid[inside & in_tile]
    (record,) = objects.seen_in(window)
    in_image = inside.sum()
    assert record.get("visible", 1.0) == pytest.approx(len(points) / in_image, abs=0.01)
    bounds = [*(points.min(0) - (20, 18)), *(points.max(0) - points.min(0))]
    np.testing.assert_allclose(record["bbox"], bounds, atol=0.3)
    assert record["iscrowd"] == int(record.get("visible", 1.0) < 0.5)
    assert record["area"] == pytest.approx(record["bbox"][2] * record["bbox"][3])


def test_the_empty_corner_of_an_oriented_box_is_not_seen():
    diamond = [20, 0, 40, 20, 20, 40, 0, 20]
    source = {"id": 1, "bbox": [0, 0, 40, 40], "segmentation": [diamond], "area": 1600}
    objects = ImageObjects([source], size=(100, 100), scale=1.0, min_visible=0.0)
    assert objects.seen_in(Window(32, 32, 20, 20)) == []
    (quarter,) = objects.seen_in(Window(20, 20, 60, 60))
    assert quarter["visible"] == pytest.approx(0.25) and quarter["bbox"] == [0, 0, 20, 20]
    assert polygon_area(np.reshape(quarter["segmentation"], (-1, 2))) == pytest.approx(200)
    plain = ImageObjects(
        [{**source, "segmentation": []}], size=(100, 100), scale=1.0, min_visible=0
    )
    assert plain.seen_in(Window(32, 32, 20, 20))[0]["visible"] == pytest.approx(64 / 1600)


def test_polygons_that_do_not_fit_their_box_are_left_out_where_it_is_cut():
    source = {
        "id": 1,
        "bbox": [0, 0, 20, 20],
        "segmentation": [[50, 50, 60, 50, 60, 60]],
        "area": 9,
    }
    crossed = {"id": 2, "bbox": [0, 0, 20, 20], "segmentation": [[0, 0, 20, 20, 20, 0, 0, 20]]}
    mask = {"id": 3, "bbox": [0, 0, 20, 20], "segmentation": {"counts": "x", "size": [9, 9]}}
    objects = ImageObjects([source, crossed, mask], size=(99, 99), scale=1.0, min_visible=0.3)
    for record in objects.seen_in(Window(10, 0, 50, 50)):
        assert record["bbox"] == [0, 0, 10, 20] and record["visible"] == 0.5
        assert "segmentation" not in record
    whole = objects.seen_in(Window(0, 0, 70, 70))
    assert ["segmentation" in record for record in whole] == [True, True, False]


def test_measured_areas_shrink_by_the_share_and_the_scale():
    source = {"id": 1, "bbox": [0, 0, 20, 20], "area": 100.0, "difficult": 1, "keypoints": [1]}
    objects = ImageObjects([source], size=(50, 50), scale=0.5, min_visible=0.3)
    (record,) = objects.seen_in(Window(5, 0, 20, 20))
    assert record["area"] == pytest.approx(100 * 0.25 * 0.5)
    assert record["difficult"] == 1 and "keypoints" not in record


def test_clipping_keeps_what_is_inside_and_the_order_of_corners_does_not_matter():
    frame = np.array([0.0, 0.0, 10.0, 10.0])
    square = np.array([[2, 2], [6, 2], [6, 6], [2, 6]], float)
    np.testing.assert_array_equal(clip_polygon(square, frame), square)
    assert len(clip_polygon(square + 20, frame)) == 0
    big = np.array([[-5, -5], [15, -5], [15, 15], [-5, 15]], float)
    assert (
        polygon_area(clip_polygon(big, frame))
        == polygon_area(clip_polygon(big[::-1], frame))
        == 100
    )
    hollow = np.array([[-4, 0], [4, 0], [4, 8], [2, 8], [2, 2], [-2, 2], [-2, 8], [-4, 8]], float)
    assert polygon_area(clip_polygon(hollow, np.array([-9.0, 4, 9, 9]))) == pytest.approx(16)


def test_regions_are_cut_and_moved():
    regions = [[0, 0, 40, 40], [90, 90, 5, 5], [60, 0, 10, 100]]
    assert cut_regions(regions, Window(10, 10, 20, 20), 0.5) == [[0, 0, 10, 10]]
    assert cut_regions(regions, Window(40, 20, 30, 30), 1.0) == [[20, 0, 10, 30]]
    assert cut_regions(regions, Window(0, 50, 50, 50), 1.0) == []
