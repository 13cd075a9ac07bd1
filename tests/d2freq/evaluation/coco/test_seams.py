"""What a neighbouring tile has seen better, on tiles that cut exactly what lies across a border."""

import numpy as np
import pytest

from d2freq.data.tiles.geometry import windows
from d2freq.evaluation.coco.seams import TOUCH, seen_better


def cut(boxes: np.ndarray, size, tile, overlap) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each tile sees of boxes: (n, 4) on the picture, the tile of each, and the tiles."""
    tiles = np.array(
        [[w.x, w.y, w.x + w.width, w.y + w.height] for w in windows(size, tile, overlap)], float
    )
    seen, number = [], []
    for place, own in enumerate(tiles):
        parts = np.hstack([np.maximum(boxes[:, :2], own[:2]), np.minimum(boxes[:, 2:], own[2:])])
        inside = (parts[:, 2:] > parts[:, :2]).all(1)
        seen.append(parts[inside])
        number += [place] * int(inside.sum())
    return np.concatenate(seen), np.array(number), tiles


def random_boxes(size, largest: float, count: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sides = rng.uniform(2, largest, (count, 2))
    low = rng.uniform(0, 1, (count, 2)) * (np.array(size) - sides)
    return np.hstack([low, low + sides])


@pytest.mark.parametrize("overlap", [(20, 20), (33, 26)])
def test_no_part_stays_and_no_object_is_lost(overlap):
    """Objects smaller than the overlap by 2 x TOUCH, anywhere, on corners of four tiles too."""
    size, tile = (310, 270), (100, 90)
    boxes = random_boxes(size, min(overlap) - 2 * TOUCH)
    seen, number, tiles = cut(boxes, size, tile, overlap)
    left = seen[~seen_better(seen, number, tiles, size)]
    assert len(seen) > 1.4 * len(boxes)
    whole = {tuple(box) for box in boxes.tolist()}
    assert {tuple(box) for box in left.tolist()} == whole
    assert len(left) - len(boxes) < 0.5 * (len(seen) - len(boxes))  # twice in both cores alone


def test_an_object_larger_than_the_overlap_keeps_its_parts():
    """Neither tile has it whole, so neither part may go."""
    seen, number, tiles = cut(np.array([[60.0, 40, 110, 50]]), (170, 100), (100, 100), (30, 30))
    assert len(seen) == 2 and not seen_better(seen, number, tiles, (170, 100)).any()


def test_what_touches_the_border_of_the_picture_stays():
    boxes = np.array([[0.0, 0, 9, 9], [161, 40, 170, 49], [80, 91, 90, 100]])
    seen, number, tiles = cut(boxes, (170, 100), (100, 100), (30, 30))
    left = seen[~seen_better(seen, number, tiles, (170, 100))]
    assert {tuple(box) for box in boxes.tolist()} <= {tuple(box) for box in left.tolist()}


def test_two_looks_that_differ_by_a_pixel_are_not_both_lost():
    """Wherever an object lies across the seam, one of both sights stays under jitter."""
    rng = np.random.default_rng(0)
    tiles = np.array([[0.0, 0, 100, 100], [70, 0, 170, 100]])
    for left in np.arange(60.0, 100, 0.25):
        for side in (4.0, 12.0, 25.0, 27.0):
            box = np.array([left, 40, left + side, 50])
            looks = np.stack([box, box]) + rng.uniform(-0.5, 0.5, (2, 4))
            looks[0, [0, 2]] = looks[0, [0, 2]].clip(0, 100)
            looks[1, [0, 2]] = looks[1, [0, 2]].clip(70, 170)
            gone = seen_better(looks, np.array([0, 1]), tiles, (170, 100))
            assert not gone.all()


def test_a_tile_that_was_not_searched_sees_nothing():
    part, tiles = np.array([[88.0, 40, 100, 50]]), np.array([[0.0, 0, 100, 100], [70, 0, 170, 100]])
    assert seen_better(part, np.array([0]), tiles, (170, 100)).all()
    assert not seen_better(part, np.array([0]), tiles[:1], (170, 100)).any()
    assert seen_better(np.zeros((0, 4)), np.zeros(0, int), tiles, (170, 100)).shape == (0,)
