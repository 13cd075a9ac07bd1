"""Lazy twin of cascade_rcnn_R50_FPN_RFLA_SET_visdrone.yaml."""

from .._base_.set import with_set
from .cascade_rcnn_R50_FPN_RFLA_visdrone import dataloader, lr_multiplier, model, optimizer, train

model = with_set(model)
train.output_dir = "./output/set_cascade_rcnn_R50_FPN_RFLA_SET_visdrone"
