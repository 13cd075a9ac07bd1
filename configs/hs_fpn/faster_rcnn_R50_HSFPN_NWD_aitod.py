"""Lazy twin of faster_rcnn_R50_HSFPN_NWD_aitod.yaml."""

from .._base_.nwd import with_nwd
from .faster_rcnn_R50_HSFPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model = with_nwd(model)
train.output_dir = "./output/faster_rcnn_R50_HSFPN_NWD_aitod"
