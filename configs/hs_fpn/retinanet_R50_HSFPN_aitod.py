"""Lazy twin of retinanet_R50_HSFPN_aitod.yaml."""

from d2freq.modeling.hs_fpn import HSFPN

from .retinanet_R50_FPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model.backbone._target_ = HSFPN
model.backbone.preset = "paper"
train.output_dir = "./output/retinanet_R50_HSFPN_aitod"
