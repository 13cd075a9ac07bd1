"""Lazy twin of scenes.yaml: loaders, schedule and training; a config sets the classes, 5."""

from .coco_data import dataloader, with_crops
from .sgd import multi_step, optimizer
from .train import train

dataloader = with_crops(dataloader)
optimizer.lr = 0.02  # of faster_rcnn_R18_FPN.yaml
train.max_iter = 600
train.eval_period = 200
lr_multiplier = multi_step(max_iter=600, steps=[420, 550], warmup=60)
train.seed = 7
