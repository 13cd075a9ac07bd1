"""Lazy twin of faster_rcnn_R50_HSFPN_RFLA_aitod.yaml."""

from .._base_.hs_fpn import with_hsfpn
from .faster_rcnn_R50_FPN_RFLA_aitod import dataloader, lr_multiplier, model, optimizer, train

model = with_hsfpn(model)
train.output_dir = "./output/faster_rcnn_R50_HSFPN_RFLA_aitod"
