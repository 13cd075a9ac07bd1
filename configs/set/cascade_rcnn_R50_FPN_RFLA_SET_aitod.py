"""Lazy twin of cascade_rcnn_R50_FPN_RFLA_SET_aitod.yaml."""

from .._base_.set import with_set
from .cascade_rcnn_R50_FPN_RFLA_aitod import dataloader, lr_multiplier, model, optimizer, train

model = with_set(model)
train.output_dir = "./output/set_cascade_rcnn_R50_FPN_RFLA_SET_aitod"
