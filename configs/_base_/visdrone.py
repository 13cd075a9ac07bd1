"""Lazy twin of visdrone.yaml: loaders, schedule and training; a config sets the classes, 10."""

from .coco_data import dataloader, with_resize
from .sgd import multi_step, optimizer
from .train import train

dataloader = with_resize(dataloader, max_size=1333)
dataloader.train.dataset.names = "visdrone_train"
dataloader.test.dataset.names = "visdrone_val"
dataloader.train.total_batch_size = 2
# 12 epochs x 6471 images / 2 a batch = 38826, decays behind the 8th (25884) and the 11th (35590)
train.max_iter = 38826
train.checkpointer.period = 3236
lr_multiplier = multi_step(max_iter=38826, steps=[25884, 35590], warmup=500)
