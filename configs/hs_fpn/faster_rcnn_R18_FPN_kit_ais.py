"""Lazy twin of faster_rcnn_R18_FPN_kit_ais.yaml."""

from .._base_.sgd import multi_step
from ..demo.faster_rcnn_R18_FPN_scenes import dataloader, model, optimizer, train

model.roi_heads.num_classes = 1
dataloader.train.dataset.names = "kit_ais_half_train"
dataloader.test.dataset.names = "kit_ais_half_val"
# 1200 steps x 4 crops = 4800 crops, 107 of each of the 45 images
train.max_iter = 1200
train.eval_period = 0
lr_multiplier = multi_step(max_iter=1200, steps=[800, 1100], warmup=100)
train.output_dir = "./output/faster_rcnn_R18_FPN_kit_ais"
