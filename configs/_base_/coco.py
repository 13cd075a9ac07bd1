"""Lazy twin of coco.yaml: loaders, schedule and training."""

from .coco_data import dataloader, with_resize
from .sgd import multi_step, optimizer
from .train import train

dataloader = with_resize(dataloader, max_size=1333)
dataloader.train.dataset.names = "coco_2017_train"
dataloader.test.dataset.names = "coco_2017_val"
dataloader.train.total_batch_size = 2
# 12 epochs x 118287 images / 2 a batch = 709722, decays behind the 8th (473148) and the 11th
# (650578)
train.max_iter = 709722
train.checkpointer.period = 59144
lr_multiplier = multi_step(max_iter=709722, steps=[473148, 650578], warmup=500)
