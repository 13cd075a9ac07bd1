"""Lazy twin of kit_ais.yaml: loaders, schedule and training; a config sets the class, 1."""

from .coco_data import dataloader, with_crops
from .sgd import multi_step, optimizer
from .train import train

dataloader = with_crops(dataloader)
dataloader.train.dataset.names = "kit_ais_half_train"
dataloader.test.dataset.names = "kit_ais_half_val"
optimizer.lr = 0.02  # of faster_rcnn_R18_FPN.yaml
# 1200 steps x 4 crops = 4800 crops, 107 of each of the 45 images
train.max_iter = 1200
lr_multiplier = multi_step(max_iter=1200, steps=[800, 1100], warmup=100)
train.seed = 7
