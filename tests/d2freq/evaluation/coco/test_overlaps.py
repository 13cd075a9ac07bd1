"""Overlaps bit by bit as pycocotools has them, and no near pair left out."""

import numpy as np
import pytest
from pycocotools import mask

from d2freq.evaluation.coco.overlaps import intersection, neighbours, pair_overlaps, pairs_of


def random_boxes(rng: np.random.Generator, number: int) -> np.ndarray:
    corner = rng.uniform(-5, 40, (number, 2)).round(rng.integers(0, 3))
    return np.hstack([corner, rng.exponential(8, (number, 2)).round(rng.integers(0, 3))])


@pytest.mark.parametrize("seed", range(5))
def test_overlaps_equal_pycocotools_to_the_last_bit(seed):
    rng = np.random.default_rng(seed)
    detections, boxes, crowd = random_boxes(rng, 40), random_boxes(rng, 30), rng.random(30) < 0.3
    row, column = (part.ravel() for part in np.mgrid[:40, :30])
    found = pair_overlaps(detections[row], boxes[column], crowd[column])
    expected = mask.iou(detections, boxes, crowd.astype(np.uint8))
    assert np.array_equal(found.reshape(40, 30), np.nan_to_num(expected))
    assert (found > 0).sum() > 40


@pytest.mark.parametrize("seed", range(20))
def test_neighbours_leave_out_no_pair_that_overlaps(seed):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 40, 2)
    image_id, box_image_id = (rng.choice([-3, 4, 5, 90], number) for number in numbers)
    xywh, boxes = (random_boxes(rng, number) for number in numbers)
    order = np.lexsort((boxes[:, 0], box_image_id))
    box_image_id, boxes = box_image_id[order], boxes[order]
    row, box = pairs_of(*neighbours(image_id, xywh, box_image_id, boxes))
    found = np.zeros(numbers, bool)
    found[row, box] = True
    same = image_id[:, None] == box_image_id
    overlap = intersection(xywh[:, None], boxes[None]) > 0
    assert found[same & overlap].all() and not found[~same].any()


def test_neighbours_are_few():
    """A hundred boxes side by side: each has itself and those beside it."""
    boxes = np.array([[10.0 * n, 0.0, 9.0, 9.0] for n in range(100)])
    ids = np.ones(100, np.int64)
    first, last = neighbours(ids, boxes, ids, boxes)
    assert (last - first).max() <= 3


def test_pairs_are_rows_with_their_numbers():
    row, number = pairs_of(np.array([2, 5, 0]), np.array([4, 5, 1]))
    assert (row.tolist(), number.tolist()) == ([0, 0, 2], [2, 3, 0])
