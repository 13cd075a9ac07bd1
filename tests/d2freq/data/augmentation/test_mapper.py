"""The mapper: as Detectron2's without d2freq's augmentations, and what YAML and lazy make of it."""

import copy

import detectron2.data.transforms as T
import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetMapper

import d2freq
from d2freq.data.augmentation import (
    AugmentingDatasetMapper,
    CopyPaste,
    Mosaic,
    RandomAngle,
    RandomObjectCrop,
    RandomRotation90,
)
from d2freq.data.augmentation.config import augmenting_mapper
from d2freq.data.build import build_seeded_train_loader
from d2freq.errors import UserError

from .augmentation_cases import painted, record

# ruff: noqa: NPY002 - augmentations draw from the global generator

BOXES = [(3, 5, 12, 9), (30, 20, 33, 31), (1, 30, 4, 34)]


@pytest.fixture
def records(tmp_path):
    """Three records with masks: one with three objects, one with one, one empty."""
    samples = [painted((36, 48), BOXES[:n], masks=True) for n in (3, 1, 0)]
    return [record(tmp_path, f"image{k}", sample) for k, sample in enumerate(samples)]


@pytest.mark.parametrize("masks", [False, True])
def test_with_detectron2s_augmentations_alone_it_is_detectron2s_mapper(records, masks):
    augmentations = [T.ResizeShortestEdge([50], 99, "choice"), T.RandomFlip()]
    options = dict(image_format="RGB", use_instance_mask=masks, instance_mask_format="bitmask")
    usual = DatasetMapper(True, augmentations=augmentations, **options)
    ours = AugmentingDatasetMapper(True, augmentations=augmentations, **options)
    for seed in range(4):
        for each in records:
            np.random.seed(seed)
            wanted = usual(copy.deepcopy(each))
            np.random.seed(seed)
            found = ours(each)
            assert torch.equal(found["image"], wanted["image"])
            boxes = found["instances"].gt_boxes.tensor, wanted["instances"].gt_boxes.tensor
            assert torch.allclose(*boxes, atol=1e-4)
            assert torch.equal(found["instances"].gt_classes, wanted["instances"].gt_classes)
            assert found["instances"].has("gt_masks") == wanted["instances"].has("gt_masks")


@pytest.mark.parametrize("masks", [False, True])
def test_everything_together_loses_no_object_uncounted(records, masks):
    steps = [
        *(Mosaic(1.0), CopyPaste(1.0, copies=2), RandomObjectCrop((30, 40))),
        *(RandomRotation90(1.0), RandomAngle(10), T.RandomFlip()),
    ]
    mapper = AugmentingDatasetMapper(
        augmentations=steps,
        image_format="RGB",
        use_instance_mask=masks,
        instance_mask_format="bitmask",
    )
    mapper.draw_from(records)
    counts = set()
    for seed in range(10):
        np.random.seed(seed)
        found = mapper(records[0])
        np.random.seed(seed)
        again = mapper(records[0])
        assert torch.equal(found["image"], again["image"]), "numpy's seed says it all"
        assert torch.equal(found["instances"].gt_boxes.tensor, again["instances"].gt_boxes.tensor)
        height, width = found["image"].shape[1:]
        assert sorted((height, width)) == [30, 40]
        boxes = found["instances"].gt_boxes.tensor
        assert (boxes >= 0).all() and (boxes[:, 2::2] <= width).all()
        if masks and len(boxes):
            assert found["instances"].gt_masks.tensor.shape[1:] == (height, width)
        counts.add(len(boxes) + sum(found["left_out"].values()) - len(BOXES))
    assert max(counts) > 0, "partners and copies bring objects"
    assert min(counts) >= 0, "every object of the image is there or counted"
    assert "annotations" in records[0], "the record stays as it is"


def test_partners_are_needed_where_several_images_meet(records):
    mapper = AugmentingDatasetMapper(augmentations=[Mosaic(1.0)], image_format="RGB")
    with pytest.raises(UserError, match="draw_from"):
        mapper(records[0])
    with pytest.raises(UserError, match="is_train"):
        AugmentingDatasetMapper(False, augmentations=[], image_format="RGB")


def configured(**keys):
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    for key, value in keys.items():
        cfg.INPUT.AUGMENT[key] = value
    return cfg


def test_keys_make_the_augmentations_in_their_order():
    assert augmenting_mapper(configured()) is None
    cfg = configured(
        MOSAIC=0.1, COPY_PASTE=0.2, COPY_PASTE_SOURCE="dataset", OBJECT_CROP=0.3,
        ROTATE_90=0.4, ROTATE_ANGLE=5.0, MIN_VISIBLE=0.5, MAX_OBJECT_SIZE=16.0,
    )  # fmt: skip
    mapper = augmenting_mapper(cfg)
    names = [type(step).__name__ for step in mapper.augmentations]
    assert names == [
        *("Mosaic", "CopyPaste", "RandomObjectCrop", "RandomRotation90", "RandomAngle"),
        *("ResizeShortestEdge", "RandomFlip"),
    ]
    assert mapper.min_visible == 0.5 and mapper.image_format == cfg.INPUT.FORMAT
    mosaic, paste, crop, turn, angle = mapper.augmentations[:5]
    assert (mosaic.prob, paste.prob, crop.prob, turn.prob) == (0.1, 0.2, 0.3, 0.4)
    assert (paste.source, paste.max_size, crop.max_size, angle.angle) == ("dataset", 16, 16, 5)
    cfg.INPUT.CROP.ENABLED = True
    with pytest.raises(UserError, match="two crops"):
        augmenting_mapper(cfg)


def test_rare_classes_come_more_often(records):
    """Class 2 is in one of three images: with a threshold of 1 its image comes three times."""
    loader = build_seeded_train_loader(
        records,
        mapper=lambda each: each,
        seed=0,
        total_batch_size=1,
        sampler="RepeatFactorTrainingSampler",
        repeat_threshold=1.0,
        repeat_sqrt=False,
    )
    stream = iter(loader)
    drawn = [next(stream)[0]["image_id"] for _ in range(110)]
    shares = [drawn.count(f"image{k}") / 110 for k in range(3)]
    assert shares == pytest.approx([3 / 5.5, 1.5 / 5.5, 1 / 5.5], abs=0.03)
    with pytest.raises(UserError, match="RepeatFactorTrainingSampler"):
        build_seeded_train_loader(
            records, mapper=None, seed=0, total_batch_size=1, sampler="Repeat"
        )
