"""Lazy twin of faster_rcnn_R101_HSFPN_aitod.yaml."""

from d2freq.modeling.hs_fpn import HSFPN

from .faster_rcnn_R101_FPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model.backbone._target_ = HSFPN
model.backbone.preset = "paper"
train.output_dir = "./output/faster_rcnn_R101_HSFPN_aitod"
