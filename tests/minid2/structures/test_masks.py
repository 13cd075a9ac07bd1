"""Masks: rasterising, cropping, pasting and boxes, against plain loops over pixels."""

import numpy as np
import pytest
import torch

from minid2.data import DatasetMapper, detection_utils
from minid2.data import transforms as T
from minid2.layers import paste_masks_in_image
from minid2.structures import BitMasks, Boxes, BoxMode, Instances, PolygonMasks, ROIMasks

SQUARE = [2, 3, 8, 3, 8, 7, 2, 7]


def square() -> torch.Tensor:
    mask = torch.zeros(1, 10, 12, dtype=torch.bool)
    mask[0, 3:7, 2:8] = True
    return mask


def test_polygons_become_the_pixels_inside():
    masks = BitMasks.from_polygon_masks([[SQUARE], [[0, 0, 3, 0, 3, 3, 0, 3], SQUARE], []], 10, 12)
    assert torch.equal(masks.tensor[:1], square())
    assert masks.tensor[1].sum() == 9 + 24 and not masks.tensor[2].any()
    assert masks.nonempty().tolist() == [True, True, False]


def test_boxes_are_tight():
    bits = torch.rand(30, 9, 7, generator=torch.Generator().manual_seed(0)) > 0.93
    boxes = BitMasks(bits).get_bounding_boxes().tensor
    for mask, box in zip(bits, boxes.tolist(), strict=True):
        rows, columns = mask.nonzero(as_tuple=True)
        if len(rows):
            ends = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box == [float(end) for end in ends]
        else:
            assert box == [0, 0, 0, 0]
    polygons = PolygonMasks([[SQUARE, [9, 1, 10, 1, 10, 2]]])
    assert polygons.get_bounding_boxes().tensor.tolist() == [[2, 1, 10, 7]]
    assert polygons.area().tolist() == [24.5]


def test_crops_of_polygons_and_bitmaps_show_what_lies_in_the_box():
    boxes = torch.tensor([[2.0, 3, 8, 7], [0, 3, 4, 7], [-4, -5, 2, 3]])
    for masks in (BitMasks(square().repeat(3, 1, 1)), PolygonMasks([[SQUARE]] * 3)):
        cropped = masks.crop_and_resize(boxes, 8)
        assert cropped.dtype == torch.bool and cropped.shape == (3, 8, 8)
        assert cropped[0].all() and not cropped[2, :-1, :-1].any()
        assert torch.equal(cropped[1], torch.arange(8).expand(8, 8) >= 4)
    assert PolygonMasks([]).crop_and_resize(boxes[:0], 8).shape == (0, 8, 8)


def test_a_pasted_mask_is_the_bilinear_value_at_each_pixel_centre():
    generator = torch.Generator().manual_seed(1)
    masks = torch.rand(6, 5, 5, generator=generator)
    corner = torch.rand(6, 2, generator=generator) * 20 - 5
    boxes = torch.cat([corner, corner + 1 + torch.rand(6, 2, generator=generator) * 15], dim=1)
    pasted = paste_masks_in_image(masks, Boxes(boxes), (15, 18), threshold=0.4)
    for mask, (x0, y0, x1, y1), image in zip(masks, boxes.tolist(), pasted, strict=True):
        padded = np.pad(mask.numpy(), 1)
        for row in range(15):
            for column in range(18):
                x = (column + 0.5 - x0) / (x1 - x0) * 5 + 0.5
                y = (row + 0.5 - y0) / (y1 - y0) * 5 + 0.5
                value = 0.0
                if 0 < x < 6 and 0 < y < 6:
                    i, j = int(y), int(x)
                    upper, lower = (
                        padded[k, j] * (1 - x + j) + padded[k, j + 1] * (x - j) for k in (i, i + 1)
                    )
                    value = upper * (1 - y + i) + lower * (y - i)
                if abs(value - 0.4) > 1e-4:
                    assert image[row, column] == (value >= 0.4)
    whole = ROIMasks(torch.ones(1, 4, 4)).to_bitmasks(Boxes([[2, 3, 8, 7]]), 10, 12)
    assert torch.equal(whole.tensor, square())
    assert paste_masks_in_image(masks[:0], boxes[:0], (3, 4)).shape == (0, 3, 4)


@pytest.mark.parametrize("form", ["polygon", "bitmask"])
def test_masks_move_with_the_image(tmp_path, form):
    from PIL import Image

    pixels = np.zeros((10, 12, 3), np.uint8)
    pixels[3:7, 2:8] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    annotation = {"bbox": [2, 3, 6, 4], "bbox_mode": BoxMode.XYWH_ABS, "category_id": 0}
    far = {**annotation, "bbox": [0, 0, 0, 0], "segmentation": [SQUARE]}
    record = {"file_name": str(tmp_path / "a.png"), "image_id": 1, "height": 10, "width": 12}
    record["annotations"] = [{**annotation, "segmentation": [[float(v) for v in SQUARE]]}, far]
    mapper = DatasetMapper(
        True,
        augmentations=[T.Resize((30, 24)), T.RandomFlip(prob=1.0)],
        image_format="RGB",
        use_instance_mask=True,
        instance_mask_format=form,
        recompute_boxes=False,
    )
    mapped = mapper(record)
    found = mapped["instances"]
    assert len(found) == 1  # the second has a mask but no box
    seen = mapped["image"][0] > 127
    box = torch.tensor([[0.0, 0, 24, 30]])
    drawn = found.gt_masks.crop_and_resize(box, 48)[0]
    stretched = torch.nn.functional.interpolate(seen[None, None].float(), (48, 48))[0, 0] > 0
    assert (drawn != stretched).float().mean() < 0.03 and drawn.sum() > 300
    assert found.gt_boxes.tensor.tolist() == [[8, 9, 20, 21]]


def test_annotations_with_and_without_masks_are_refused():
    whole = {"bbox": [0, 0, 3, 3], "bbox_mode": BoxMode.XYXY_ABS, "category_id": 0}
    masked = {**whole, "segmentation": [[0, 0, 3, 0, 3, 3]]}
    with pytest.raises(KeyError, match=r"missing in 1 of 2 annotations.*MODEL\.MASK_ON"):
        detection_utils.annotations_to_instances([whole, masked], (9, 9))
    run_lengths = {**whole, "segmentation": {"size": [9, 9], "counts": [81]}}
    with pytest.raises(ValueError, match=r"MASK_FORMAT.*'bitmask' takes run lengths"):
        detection_utils.annotations_to_instances([run_lengths], (9, 9))
    with pytest.raises(ValueError, match="three corners"):
        PolygonMasks([[[1, 2, 3, 4]]])
    with pytest.raises(ValueError, match="recompute_boxes needs use_instance_mask"):
        DatasetMapper(True, augmentations=[], image_format="RGB", recompute_boxes=True)
    with pytest.raises(AssertionError, match="2 boxes for 1 masks"):
        BitMasks(square()).crop_and_resize(torch.zeros(2, 4), 5)


def test_polygons_are_cropped_where_shapely_is_there():
    annotation = {"bbox": [2, 3, 8, 7], "bbox_mode": BoxMode.XYXY_ABS, "segmentation": [SQUARE]}
    crop = T.CropTransform(0, 0, 5, 5)
    try:
        import shapely  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(ModuleNotFoundError, match=r"shapely.*INPUT\.CROP\.ENABLED"):
            detection_utils.transform_instance_annotations(annotation, crop, (5, 5))
        return
    moved = detection_utils.transform_instance_annotations(annotation, crop, (5, 5))
    assert BitMasks.from_polygon_masks([moved["segmentation"]], 5, 5).tensor.sum() == 6


def test_instances_carry_masks():
    target = Instances((10, 12), gt_masks=PolygonMasks([[SQUARE], []]))
    kept = target[torch.tensor([False, True])]
    assert kept.gt_masks.polygons == [[]]
    joined = Instances.cat([target, kept])
    assert len(joined.gt_masks) == 3
    bits = Instances((10, 12), pred_masks=BitMasks(square()))
    assert len(Instances.cat([bits, bits]).pred_masks) == 2


def test_masks_are_joined_chosen_moved_and_named():
    polygons = PolygonMasks([[SQUARE], []])
    both = PolygonMasks.cat([polygons, polygons])
    assert [len(each) for each in both] == [1, 0, 1, 0]
    assert polygons.to("cpu") is polygons and polygons.device == torch.device("cpu")
    assert len(both[1:3]) == 2 and len(both[0]) == 1
    assert [len(each) for each in both[torch.tensor([True, False, False, True])]] == [1, 0]
    assert [len(each) for each in both[torch.tensor([1, 2])]] == [0, 1]
    assert repr(both) == "PolygonMasks(num_instances=4)"
    masks = BitMasks(square()).to("cpu")
    assert torch.equal(BitMasks.cat([masks, masks]).tensor[1:], square())
    assert repr(masks) == "BitMasks(num_instances=1)"
    assert repr(ROIMasks(torch.zeros(3, 4, 4)).to("cpu")) == "ROIMasks(num_instances=3)"
    empty = PolygonMasks([]).crop_and_resize(torch.zeros(0, 4), 5)
    assert empty.shape == (0, 5, 5) and empty.dtype == torch.bool
