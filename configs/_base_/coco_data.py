"""Loaders and evaluator over data sets of the catalog; a config sets names, sizes and crops."""

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
