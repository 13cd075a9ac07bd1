"""Lazy twin of faster_rcnn_R50_FPN_SET_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.faster_rcnn_R50_FPN import model
from .._base_.published import with_published
from .._base_.scale_8 import with_scale_8
from .._base_.set import with_set

model.roi_heads.num_classes = 8
model = with_set(with_scale_8(with_published(model)))
train.output_dir = "./output/set_faster_rcnn_R50_FPN_SET_aitod"
