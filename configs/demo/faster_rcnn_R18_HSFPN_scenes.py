"""Lazy twin of faster_rcnn_R18_HSFPN_scenes.yaml: the demo."""

from .._base_.hs_fpn import with_hsfpn
from .faster_rcnn_R18_FPN_scenes import dataloader, lr_multiplier, model, optimizer, train

model = with_hsfpn(model)
train.output_dir = "./output/faster_rcnn_R18_HSFPN_scenes"
