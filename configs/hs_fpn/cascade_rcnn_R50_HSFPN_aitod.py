"""Lazy twin of cascade_rcnn_R50_HSFPN_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.cascade_rcnn_R50_FPN import model
from .._base_.hs_fpn import with_hsfpn
from .._base_.published import with_published

model = with_hsfpn(with_published(model))
model.roi_heads.num_classes = 8
train.output_dir = "./output/cascade_rcnn_R50_HSFPN_aitod"
