"""Lazy twin of dct_coco.yaml: loaders, schedule and training; masks where a model has them."""

from .coco import dataloader, optimizer, train
from .sgd import multi_step

dataloader.evaluator.protocol = "coco"
optimizer.lr = 0.0025
# 20 epochs x 118287 images / 2 a batch = 1182870, decays behind the 16th (946296) and the 19th
# (1123726)
train.max_iter = 1182870
lr_multiplier = multi_step(max_iter=1182870, steps=[946296, 1123726], warmup=500)
lr_multiplier.warmup_factor = 0.3333333333333333
