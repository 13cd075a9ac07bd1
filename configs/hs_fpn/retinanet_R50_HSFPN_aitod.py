"""Lazy twin of retinanet_R50_HSFPN_aitod.yaml."""

from .._base_.hs_fpn import with_hsfpn
from .retinanet_R50_FPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model = with_hsfpn(model)
train.output_dir = "./output/retinanet_R50_HSFPN_aitod"
