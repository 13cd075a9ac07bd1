"""Lazy twin of cascade_rcnn_R50_FPN_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.cascade_rcnn_R50_FPN import model
from .._base_.scale_8 import with_scale_8

model = with_scale_8(model)
model.roi_heads.num_classes = 8
train.output_dir = "./output/set_cascade_rcnn_R50_FPN_aitod"
