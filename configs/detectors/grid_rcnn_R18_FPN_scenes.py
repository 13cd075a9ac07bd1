"""Lazy twin of grid_rcnn_R18_FPN_scenes.yaml."""

from .._base_.grid_rcnn import with_grid_rcnn
from ..demo.faster_rcnn_R18_FPN_scenes import dataloader, lr_multiplier, model, optimizer, train

model = with_grid_rcnn(model)
model.roi_heads.grid_head.update(num_conv=2, point_channels=16)
model.roi_heads.max_samples = 64
train.output_dir = "./output/detectors_grid_rcnn_R18_FPN_scenes"
