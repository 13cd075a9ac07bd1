"""Objects whose masks are COCO's run lengths move as their pixels do."""

import numpy as np
import pytest
from detectron2.data.transforms import HFlipTransform
from detectron2.structures import BoxMode
from pycocotools import mask as coco_mask

from d2freq.data.augmentation.sample import SeenObject

SIZE = (8, 10)  # height and width


def record(*, counts):
    bitmap = np.zeros(SIZE, np.uint8, order="F")
    bitmap[2:5, 1:4] = 1
    bitmap[2, 1] = 0
    mask = coco_mask.encode(bitmap)
    if counts == "list":
        flat = bitmap.ravel(order="F")
        edges = np.flatnonzero(np.diff(flat)) + 1
        mask = {"size": list(SIZE), "counts": np.diff([0, *edges, flat.size]).tolist()}
    return bitmap, {
        "bbox": [1, 2, 3, 3],
        "bbox_mode": BoxMode.XYWH_ABS,
        "category_id": 2,
        "segmentation": mask,
    }


@pytest.mark.parametrize("counts", ["list", "bytes"])
def test_a_bitmap_is_flipped_with_its_box(counts):
    bitmap, annotation = record(counts=counts)
    found = SeenObject.read(annotation, SIZE, with_mask=True)
    assert np.array_equal(found.mask, bitmap)
    moved = found.moved(HFlipTransform(SIZE[1]), SIZE)
    assert np.array_equal(moved.mask, bitmap[:, ::-1])
    assert moved.box.tolist() == [6, 2, 9, 5] and moved.visible == 1
    written = moved.annotation(with_mask=True)
    assert written["category_id"] == 2 and np.array_equal(written["segmentation"], bitmap[:, ::-1])
    assert "segmentation" not in moved.annotation(with_mask=False)


def test_without_masks_run_lengths_are_not_decoded():
    _, annotation = record(counts="bytes")
    found = SeenObject.read(annotation, SIZE, with_mask=False)
    assert found.mask is None and found.shifted(2, 1).box.tolist() == [3, 3, 6, 6]
