"""Shapes of objects move with their image, whatever form they have."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from minid2.data import transforms as T
from minid2.data.segmentations import collect_masks, transform_segmentation

SIZE = (6, 8)  # height and width
POLYGON = [1.0, 1.0, 4.0, 1.0, 4.0, 5.0, 1.0, 5.0]


@pytest.fixture
def bitmap():
    found = np.zeros(SIZE, np.uint8)
    found[1:5, 1:4] = 1
    return found


def run_lengths(bitmap, *, as_list):
    if not as_list:
        return coco_mask.encode(np.asfortranarray(bitmap))
    flat = bitmap.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    return {"size": list(SIZE), "counts": np.diff([0, *edges, flat.size]).tolist()}


def flip():
    return T.TransformList([T.HFlipTransform(SIZE[1])])


def test_polygons_are_flipped_point_by_point():
    (found,) = transform_segmentation([POLYGON], flip(), SIZE)
    assert found.tolist() == [7.0, 1.0, 4.0, 1.0, 4.0, 5.0, 7.0, 5.0]


@pytest.mark.parametrize("as_list", [True, False])
def test_run_lengths_become_a_flipped_bitmap(bitmap, as_list):
    found = transform_segmentation(run_lengths(bitmap, as_list=as_list), flip(), SIZE)
    assert np.array_equal(found, bitmap[:, ::-1])


def test_a_mask_of_another_image_is_told(bitmap):
    with pytest.raises(AssertionError, match="not the mask of this image"):
        transform_segmentation(run_lengths(bitmap, as_list=False), flip(), (8, 6))


def test_all_forms_become_one_stack_of_bitmaps(bitmap):
    forms = [[POLYGON], run_lengths(bitmap, as_list=True), bitmap]
    found = collect_masks(forms, SIZE, "bitmask").tensor.numpy()
    assert found.shape == (3, *SIZE) and all(np.array_equal(each, bitmap) for each in found)


def test_what_is_no_shape_is_refused(bitmap):
    with pytest.raises(ValueError, match="segmentation of type str: give polygons"):
        transform_segmentation("polygon", flip(), SIZE)
    with pytest.raises(ValueError, match="segmentation of type str: give polygons"):
        collect_masks(["polygon"], SIZE, "bitmask")
    with pytest.raises(ValueError, match="'bitmask' takes run lengths, too"):
        collect_masks([run_lengths(bitmap, as_list=False)], SIZE, "polygon")
