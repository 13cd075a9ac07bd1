"""Lazy twin of faster_rcnn_R18_SAC_RFP_scenes.yaml."""

from .._base_.detectors import with_detectors
from ..demo.faster_rcnn_R18_FPN_scenes import dataloader, lr_multiplier, model, optimizer, train

model = with_detectors(model)
train.output_dir = "./output/detectors_faster_rcnn_R18_SAC_RFP_scenes"
