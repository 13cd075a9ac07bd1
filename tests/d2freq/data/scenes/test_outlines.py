"""Outlines of masks: COCO's rasterisation of the polygons gives the masks back."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from d2freq.data.scenes.outlines import outlines

RING = np.pad(np.zeros((2, 3), bool), 1, constant_values=True)


def filled(rings: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """How many of the polygons cover each pixel, by COCO's rule."""
    covered = np.zeros(shape, int)
    for ring in rings:
        (run_lengths,) = coco_mask.frPyObjects([ring.ravel().astype(float).tolist()], *shape)
        covered += coco_mask.decode(run_lengths)
    return covered


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_polygons_cover_each_pixel_of_a_random_mask_once(share):
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = rng.random(tuple(rng.integers(1, 12, 2))) < share
        assert np.array_equal(filled(outlines(mask), mask.shape), mask)


def test_a_ring_is_cut_in_two():
    parts = outlines(RING)
    assert len(parts) == 2
    assert np.array_equal(filled(parts, RING.shape), RING)


def test_straight_sides_have_no_corner_and_corners_touch():
    (box,) = outlines(np.ones((3, 5), bool))
    assert sorted(map(tuple, box.tolist())) == [(0, 0), (0, 3), (5, 0), (5, 3)]
    assert len(outlines(np.eye(2, dtype=bool))) == 2
    assert outlines(np.zeros((4, 4), bool)) == []
