"""Lazy twin of kit_ais_pretrained.yaml: loaders, schedule and training; a config sets the class."""

from .kit_ais import dataloader, optimizer, train
from .sgd import multi_step

dataloader.train.mapper.augmentations[0].crop_size = [160, 160]
# 1000 steps x 4 crops = 4000 crops, 89 of each of the 45 images
train.max_iter = 1000
lr_multiplier = multi_step(max_iter=1000, steps=[700, 900], warmup=100)
train.seed = 1
train.fast_cpu = True
