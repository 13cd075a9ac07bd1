"""Lazy twin of imagenet.yaml: loaders, evaluator, schedule and training; a config has the model."""

from detectron2.config import LazyCall as L
from detectron2.data import build_detection_test_loader, get_detection_dataset_dicts

from d2freq.data.build import build_seeded_train_loader
from d2freq.data.image_folders.mapper import ImageMapper
from d2freq.evaluation import TopKEvaluator

from .sgd import multi_step, optimizer
from .train import train

dataloader = dict(
    train=L(build_seeded_train_loader)(
        dataset=L(get_detection_dataset_dicts)(names="imagenet_train", filter_empty=False),
        mapper=L(ImageMapper)(is_train=True, crop=224),
        seed="${train.seed}",
        total_batch_size=256,
        aspect_ratio_grouping=False,
        num_workers=8,
    ),
    test=L(build_detection_test_loader)(
        dataset=L(get_detection_dataset_dicts)(names="imagenet_val", filter_empty=False),
        mapper=L(ImageMapper)(is_train=False, crop="${dataloader.train.mapper.crop}", resize=256),
        batch_size=32,
        num_workers=8,
    ),
    evaluator=L(TopKEvaluator)(dataset_name="${..test.dataset.names}", output_dir=None),
)
optimizer.lr = 0.1
# an epoch is 1281167 images / 256 a batch = 5004.6; 90 of them 450410, decays behind the 30th
# (150137), the 60th (300274) and the 80th (400365)
train.max_iter = 450410
train.checkpointer.period = 25023
train.eval_period = 25023  # every 5 epochs
lr_multiplier = multi_step(max_iter=450410, steps=[150137, 300274, 400365], warmup=0)
