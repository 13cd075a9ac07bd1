"""Lazy twin of aitod.yaml: loaders, schedule and training; a config sets the classes, 8."""

from .coco_data import dataloader, with_resize
from .sgd import multi_step, optimizer
from .train import train

dataloader = with_resize(dataloader, max_size=800)
dataloader.train.dataset.names = "aitod_trainval"
dataloader.test.dataset.names = "aitod_test"
dataloader.train.total_batch_size = 2
# an epoch is 14018 images / 2 a batch = 7009; 12 of them 84108, decays behind the 8th (56072) and
# the 11th (77099)
train.max_iter = 84108
train.checkpointer.period = 7009
lr_multiplier = multi_step(max_iter=84108, steps=[56072, 77099], warmup=500)
