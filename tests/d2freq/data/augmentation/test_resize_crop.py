"""DETR's two policies: as Detectron2's own steps one after the other, by key and lazily."""

import detectron2.data.transforms as T
import numpy as np
import pytest
from detectron2.config import LazyCall as L
from detectron2.config import get_cfg, instantiate
from detectron2.data import DatasetMapper

import d2freq
from d2freq.data.augmentation import AugmentingDatasetMapper, ResizeThenRandomCrop
from d2freq.data.augmentation.config import augmenting_mapper
from d2freq.errors import UserError

from .augmentation_cases import painted, record

# ruff: noqa: NPY002 - augmentations draw from the global generator

BOXES = [(3, 5, 12, 9), (30, 20, 33, 31), (1, 30, 4, 34)]
SIDES, RANGE = [40, 50, 60], [24, 45]


@pytest.mark.parametrize("size", [(36, 48), (48, 36), (20, 90)])
@pytest.mark.parametrize("masks", [False, True])
def test_it_is_resize_then_crop_of_detectron2(size, masks):
    """From the same seed, the wide image's windows among them, which are lower than 45."""
    ours = ResizeThenRandomCrop(SIDES, RANGE)
    theirs = T.RandomApply(
        T.AugmentationList(
            [
                T.ResizeShortestEdge(SIDES, sample_style="choice"),
                T.RandomCrop("absolute_range", tuple(RANGE)),
            ]
        ),
        prob=0.5,
    )
    boxes = [box for box in BOXES if box[3] <= size[0] and box[2] <= size[1]]
    shapes = set()
    for seed in range(30):
        samples = []
        for step in (ours, theirs):
            np.random.seed(seed)
            samples.append(painted(size, boxes, masks=masks))
            step(samples[-1])
        assert np.array_equal(*(each.image for each in samples)), seed
        assert np.allclose(samples[0].boxes, samples[1].boxes)
        seen = [[each.visible for each in sample.objects] for sample in samples]
        assert np.allclose(*seen)
        shapes.add(samples[0].size)
    windows = shapes - {size}
    assert len(windows) > 8 and size in shapes
    assert all(24 <= side <= 45 for window in windows for side in window)


def test_an_image_that_is_smaller_than_the_window_is_resized_alone():
    np.random.seed(0)
    sample = painted((10, 12), [(2, 3, 6, 8)])
    ResizeThenRandomCrop([20], [384, 600], prob=1.0)(sample)
    assert sample.size == (20, 24)
    assert sample.boxes.tolist() == [[4, 6, 12, 16]] and sample.objects[0].visible == 1


def test_channels_of_floats_are_resized_and_cut_too():
    np.random.seed(0)
    sample = painted((36, 48), BOXES)
    sample.image = np.repeat(sample.image, 2, axis=2).astype(np.float32) * 16
    ResizeThenRandomCrop(SIDES, RANGE, prob=1.0)(sample)
    assert sample.image.dtype == np.float32 and sample.image.shape[2] == 6
    assert sample.size == sample.image.shape[:2] and max(sample.size) <= 45


@pytest.fixture
def crowded(tmp_path):
    return record(tmp_path, "crowded", painted((36, 48), BOXES, masks=True))


def test_keys_put_it_before_the_resize_of_all_images(crowded):
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    assert augmenting_mapper(cfg) is None, "off by default"
    cfg.INPUT.AUGMENT.RESIZE_CROP = 0.5
    usual = augmenting_mapper(cfg).augmentations[0]
    assert list(usual.short_sides) == [400, 500, 600] and list(usual.crop_range) == [384, 600]
    cfg.INPUT.AUGMENT.RESIZE_CROP_SIDES = SIDES
    cfg.INPUT.AUGMENT.RESIZE_CROP_RANGE = RANGE
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = (48, 56, 64), 140
    mapper = augmenting_mapper(cfg)
    names = [type(step).__name__ for step in mapper.augmentations]
    assert names == ["ResizeThenRandomCrop", "ResizeShortestEdge", "RandomFlip"]
    whole = 0
    for seed in range(60):
        np.random.seed(seed)
        found = mapper(crowded)
        height, width = found["image"].shape[1:]
        assert min(height, width) in (48, 56, 64) and max(height, width) <= 140
        counted = len(found["instances"]) + sum(found["left_out"].values())
        assert counted == len(BOXES), "every object is there or counted"
        whole += width / height == pytest.approx(48 / 36, abs=0.02) and counted == len(
            found["instances"]
        )
    assert 20 <= whole <= 40, "half of the images are whole"
    for other in ("INPUT.CROP.ENABLED", "INPUT.AUGMENT.OBJECT_CROP"):
        both = cfg.clone()
        both.merge_from_list([other, "True" if other.endswith("ENABLED") else 1.0])
        with pytest.raises(UserError, match=f"RESIZE_CROP.*{other}|{other}.*RESIZE_CROP"):
            augmenting_mapper(both)


@pytest.mark.parametrize("kind", [AugmentingDatasetMapper, DatasetMapper])
def test_lazily_both_mappers_take_it(crowded, kind):
    steps = [
        L(ResizeThenRandomCrop)(short_sides=SIDES, crop_range=RANGE, prob=0.5),
        L(T.ResizeShortestEdge)(short_edge_length=[48, 56], max_size=100, sample_style="choice"),
        L(T.RandomFlip)(),
    ]
    mapper = instantiate(L(kind)(is_train=True, augmentations=steps, image_format="RGB"))
    shapes = set()
    for seed in range(12):
        np.random.seed(seed)
        shapes.add(tuple(mapper(crowded)["image"].shape[1:]))
    assert len(shapes) > 4 and all(min(shape) in (48, 56) for shape in shapes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (dict(prob=2.0), "probability"),
        (dict(short_sides=[]), "RESIZE_CROP_SIDES"),
        (dict(short_sides=[0, 400]), "RESIZE_CROP_SIDES"),
        (dict(crop_range=[600, 384]), "RESIZE_CROP_RANGE"),
        (dict(crop_range=[0, 384]), "RESIZE_CROP_RANGE"),
        (dict(crop_range=[384]), "RESIZE_CROP_RANGE"),
    ],
)
def test_bad_values_are_refused(given, said):
    with pytest.raises(UserError, match=said):
        ResizeThenRandomCrop(**given)
