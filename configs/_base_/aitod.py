"""Lazy twin of aitod.yaml: loaders, schedule and training; a config sets the classes, 8."""

from detectron2.config import LazyCall as L
from detectron2.data.transforms import ResizeShortestEdge

from .coco_data import dataloader
from .sgd import multi_step, optimizer
from .train import train

resize = L(ResizeShortestEdge)(short_edge_length=[800], max_size=800, sample_style="choice")
dataloader.train.mapper.augmentations.insert(0, resize)
dataloader.test.mapper.augmentations.insert(0, resize)
dataloader.train.dataset.names = "aitod_trainval"
dataloader.test.dataset.names = "aitod_test"
dataloader.train.total_batch_size = 2
# an epoch is 14018 images / 2 a batch = 7009; 12 of them 84108, decays behind the 8th (56072) and
# the 11th (77099)
train.max_iter = 84108
train.checkpointer.period = 7009
lr_multiplier = multi_step(max_iter=84108, steps=[56072, 77099], warmup=500)
del resize
