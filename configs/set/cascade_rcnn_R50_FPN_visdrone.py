"""Lazy twin of cascade_rcnn_R50_FPN_visdrone.yaml."""

from .._base_.cascade_rcnn_R50_FPN import model
from .._base_.scale_8 import with_scale_8
from .._base_.visdrone import dataloader, lr_multiplier, optimizer, train

model = with_scale_8(model)
model.roi_heads.num_classes = 10
train.output_dir = "./output/set_cascade_rcnn_R50_FPN_visdrone"
