"""Lazy twin of faster_rcnn_R18_FPN_scenes.yaml."""

from .._base_.faster_rcnn_R18_FPN import model
from .._base_.scenes import dataloader, lr_multiplier, optimizer, train

model.roi_heads.num_classes = 5
train.output_dir = "./output/faster_rcnn_R18_FPN_scenes"
