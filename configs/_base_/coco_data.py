"""Loaders and evaluator over data sets of the catalog; a config sets names, sizes and crops.

The functions change such loaders in place and return them.
"""

import detectron2.data.transforms as T
from detectron2.config import LazyCall as L
from detectron2.data import (
    DatasetMapper,
    build_detection_test_loader,
    get_detection_dataset_dicts,
)

from d2freq.data.build import build_seeded_train_loader
from d2freq.evaluation import TinyCOCOEvaluator

dataloader = dict(
    train=L(build_seeded_train_loader)(
        dataset=L(get_detection_dataset_dicts)(names="tiny_scenes_train", filter_empty=False),
        mapper=L(DatasetMapper)(
            is_train=True,
            augmentations=[L(T.RandomFlip)(horizontal=True)],
            image_format="RGB",
            use_instance_mask=False,
        ),
        seed="${train.seed}",
        total_batch_size=4,
        num_workers=2,
    ),
    test=L(build_detection_test_loader)(
        dataset=L(get_detection_dataset_dicts)(names="tiny_scenes_val", filter_empty=False),
        mapper=L(DatasetMapper)(is_train=False, augmentations=[], image_format="RGB"),
        num_workers=2,
    ),
    evaluator=L(TinyCOCOEvaluator)(
        dataset_name="${..test.dataset.names}", output_dir=None, protocol="aitod"
    ),
)


def with_resize(dataloader, max_size):
    """Images of 800 pixels on their shorter side, and of at most ``max_size`` on the longer one."""
    for split in (dataloader.train, dataloader.test):
        step = L(T.ResizeShortestEdge)(
            short_edge_length=[800], max_size=max_size, sample_style="choice"
        )
        split.mapper.augmentations.insert(0, step)
    return dataloader


def with_crops(dataloader):
    """Crops of 192 x 192 pixels for training."""
    step = L(T.RandomCrop)(crop_type="absolute", crop_size=[192, 192])
    dataloader.train.mapper.augmentations.insert(0, step)
    return dataloader


def with_masks(dataloader):
    """Masks of the objects beside their boxes."""
    for split in (dataloader.train, dataloader.test):
        split.mapper.use_instance_mask = True
    return dataloader
