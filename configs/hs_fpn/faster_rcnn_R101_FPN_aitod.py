"""Lazy twin of faster_rcnn_R101_FPN_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.faster_rcnn_R50_FPN import model

model.roi_heads.num_classes = 8
model.backbone.bottom_up.stages.depth = 101
train.output_dir = "./output/faster_rcnn_R101_FPN_aitod"
