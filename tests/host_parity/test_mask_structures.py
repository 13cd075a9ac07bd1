"""Masks as structures: BitMasks, PolygonMasks and pasting, against Detectron2, bit by bit."""

import importlib
import inspect

import detectron2.layers
import detectron2.structures
import numpy as np
import pytest
import torch

import minid2.layers
import minid2.structures

HOSTS = (detectron2, minid2)
MASKS = [host.structures.masks for host in HOSTS]


def random_boxes(generator, count, extent=40.0):
    corner = torch.rand(count, 2, generator=generator) * extent - 5
    return torch.cat([corner, corner + torch.rand(count, 2, generator=generator) * extent], dim=1)


def random_polygons(rng, count):
    """Instances of none to three polygons, some of whole numbers, partly outside the image."""
    instances = []
    for index in range(count):
        polygons = [rng.uniform(-5, 50, 2 * rng.integers(3, 9)) for _ in range(index % 4)]
        instances.append([p.round() if index % 3 == 0 else p for p in polygons])
    return instances


def outcome(function):
    try:
        value = function()
    except Exception as error:
        return type(error)
    value = getattr(value, "polygons", getattr(value, "tensor", value))
    return value


def assert_equal(ours, theirs):
    if isinstance(theirs, (torch.Tensor, np.ndarray)):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert bool((ours == theirs).all())
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            assert_equal(*pair)
    else:
        assert ours == theirs


def compare(run):
    theirs, ours = (outcome(lambda masks=masks: run(masks)) for masks in MASKS)
    assert_equal(ours, theirs)
    return ours


INDICES = [1, -1, slice(0, 3), [0, 2], torch.tensor([2, 2, 0]), torch.arange(6) % 2 == 0]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(index):
    polygons = random_polygons(np.random.default_rng(0), 6)
    bits = torch.rand(6, 9, 11, generator=torch.Generator().manual_seed(0)) > 0.7
    compare(lambda m: m.PolygonMasks(polygons)[index])
    compare(lambda m: m.BitMasks(bits)[index])
    if not isinstance(index, int):
        compare(lambda m: m.ROIMasks(torch.ones(6, 4, 4).cumsum(0))[index])


def test_properties_of_polygons():
    polygons = random_polygons(np.random.default_rng(1), 30)
    compare(lambda m: m.PolygonMasks(polygons).area())
    for name in ("nonempty", "get_bounding_boxes", "__len__", "__repr__"):
        compare(lambda m, name=name: getattr(m.PolygonMasks(polygons), name)())
        compare(lambda m, name=name: getattr(m.PolygonMasks([[]]), name)())
    compare(lambda m: m.PolygonMasks([]).get_bounding_boxes())
    compare(lambda m: m.PolygonMasks.cat([m.PolygonMasks(polygons), m.PolygonMasks(polygons[:2])]))
    compare(lambda m: list(m.PolygonMasks(polygons)))
    compare(lambda m: m.PolygonMasks([[torch.tensor([0, 0, 5, 0, 5, 5]), [0, 0, 5, 0, 5, 5.5]]]))
    refused = ([[[1, 2, 3, 4]]], [[[1, 2, 3, 4, 5, 6, 7]]], np.zeros((2, 6)), [(np.ones(6),)])
    for wrong in refused:
        assert compare(lambda m, wrong=wrong: m.PolygonMasks(wrong)) is ValueError


def test_properties_of_bitmaps():
    bits = torch.rand(20, 13, 17, generator=torch.Generator().manual_seed(2)) > 0.97
    bits[3] = False
    bits[4] = True
    for name in ("nonempty", "get_bounding_boxes", "__len__", "__repr__"):
        compare(lambda m, name=name: getattr(m.BitMasks(bits), name)())
        compare(lambda m, name=name: getattr(m.BitMasks(bits[:0]), name)())
    compare(lambda m: m.BitMasks.cat([m.BitMasks(bits), m.BitMasks(bits[:1])]))
    compare(lambda m: m.BitMasks(bits.numpy().astype(np.uint8)))
    compare(lambda m: m.BitMasks(bits).image_size)
    compare(lambda m: m.BitMasks.from_polygon_masks([], 5, 6))
    assert compare(lambda m: m.BitMasks(bits[0])) is AssertionError


@pytest.mark.parametrize("size", [14, 28])
def test_polygons_are_rasterized_alike(size):
    polygons = random_polygons(np.random.default_rng(3), 300)
    boxes = random_boxes(torch.Generator().manual_seed(3), 300)
    boxes[7, 2:] = boxes[7, :2]  # no area
    found = compare(lambda m: m.PolygonMasks(polygons).crop_and_resize(boxes, size))
    assert 0.1 < found.float().mean() < 0.9
    found = compare(lambda m: m.BitMasks.from_polygon_masks(polygons, 40, 45))
    assert 0.1 < found.float().mean() < 0.9
    compare(lambda m: m.BitMasks.from_polygon_masks(m.PolygonMasks(polygons), 40, 45))
    compare(lambda m: m.polygons_to_bitmask([], 4, 5))


@pytest.mark.parametrize("size", [14, 28])
def test_bitmaps_are_cropped_alike(size):
    generator = torch.Generator().manual_seed(4)
    coarse = torch.rand(200, 1, 5, 6, generator=generator)
    bits = torch.nn.functional.interpolate(coarse, (37, 45), mode="bilinear")[:, 0] > 0.5
    boxes = random_boxes(generator, 200)
    found = compare(lambda m: m.BitMasks(bits).crop_and_resize(boxes, size))
    assert 0.1 < found.float().mean() < 0.9
    assert compare(lambda m: m.BitMasks(bits).crop_and_resize(boxes[:3], size)) is AssertionError


@pytest.mark.parametrize("threshold", [0.5, 0.3, 0.0, -1.0])
def test_masks_are_pasted_alike(threshold):
    generator = torch.Generator().manual_seed(5)
    boxes = random_boxes(generator, 120, extent=60.0)
    boxes[:40] = boxes[:40].round()
    boxes[40:60, 2:] = boxes[40:60, :2] + 0.4  # smaller than a pixel
    masks = torch.rand(120, 28, 28, generator=generator)
    for size in ((50, 61), (9, 70)):
        # Detectron2 has an error where a box lies outside by more than a pixel.
        limit = torch.tensor([size[1], size[0]] * 2)
        inside = boxes.clamp(min=0).minimum(limit.float())
        found = []
        for host in HOSTS:
            found.append(host.layers.paste_masks_in_image(masks, inside, size, threshold))
            wrapped = host.structures.Boxes(inside)
            assert torch.equal(
                host.layers.paste_masks_in_image(masks, wrapped, size, threshold), found[-1]
            )
        assert_equal(found[1], found[0])
        assert found[0].float().mean() > 0.01
        if threshold >= 0:
            compare(lambda m, b=inside, s=size: m.ROIMasks(masks).to_bitmasks(
                m.Boxes(b), *s, threshold=threshold))  # fmt: skip
    theirs, ours = (h.layers.paste_masks_in_image(masks[:0], boxes[:0], (5, 6)) for h in HOSTS)
    assert_equal(ours, theirs)


def signature(function):
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


NAMES = {
    "structures.masks": ["BitMasks", "PolygonMasks", "ROIMasks", "polygon_area"]
    + ["polygons_to_bitmask", "rasterize_polygons_within_box"],
    "layers.mask_ops": ["paste_masks_in_image"],
    "modeling.roi_heads.mask_head": ["build_mask_head", "mask_rcnn_loss", "mask_rcnn_inference"]
    + ["BaseMaskRCNNHead", "MaskRCNNConvUpsampleHead"],
    "modeling.roi_heads.roi_heads": ["select_foreground_proposals"],
}


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in NAMES.items() for n in names])
def test_signatures(module, name):
    theirs, ours = (
        getattr(importlib.import_module(f"{host.__name__}.{module}"), name) for host in HOSTS
    )
    assert signature(ours) == signature(theirs)
    if not inspect.isclass(ours):
        return
    for method in vars(ours):
        public = not method.startswith("_") or method in ("__init__", "__getitem__")
        if public and callable(getattr(ours, method)):
            assert signature(getattr(ours, method)) == signature(getattr(theirs, method)), method
