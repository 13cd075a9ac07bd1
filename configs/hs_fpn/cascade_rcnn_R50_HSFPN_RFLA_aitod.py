"""Lazy twin of cascade_rcnn_R50_HSFPN_RFLA_aitod.yaml."""

from .._base_.hs_fpn import with_hsfpn
from .cascade_rcnn_R50_FPN_RFLA_aitod import dataloader, lr_multiplier, model, optimizer, train

model = with_hsfpn(model)
train.output_dir = "./output/cascade_rcnn_R50_HSFPN_RFLA_aitod"
