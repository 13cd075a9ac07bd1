"""Lazy twin of faster_rcnn_MobileNetV2_HSFPN_kit_ais.yaml."""

from .._base_.faster_rcnn_MobileNetV2_FPN import model
from .._base_.hs_fpn import with_hsfpn
from .._base_.kit_ais_pretrained import dataloader, lr_multiplier, optimizer, train

model = with_hsfpn(model)
model.roi_heads.num_classes = 1
train.output_dir = "./output/evidence_faster_rcnn_MobileNetV2_HSFPN_kit_ais"
