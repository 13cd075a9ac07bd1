"""Lazy twin of faster_rcnn_R50_HSFPN_SET_aitod.yaml."""

from .._base_.set import with_set
from ..hs_fpn.faster_rcnn_R50_HSFPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model = with_set(model)
train.output_dir = "./output/set_faster_rcnn_R50_HSFPN_SET_aitod"
