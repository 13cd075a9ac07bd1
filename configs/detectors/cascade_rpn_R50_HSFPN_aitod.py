"""Lazy twin of cascade_rpn_R50_HSFPN_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.cascade_rpn import with_cascade_rpn
from .._base_.faster_rcnn_R50_FPN import model
from .._base_.hs_fpn import with_hsfpn
from .._base_.published import with_published

model = with_hsfpn(with_cascade_rpn(with_published(model)))
model.roi_heads.num_classes = 8
train.clip_gradients = dict(enabled=True, clip_type="full_model", clip_value=35.0)
train.output_dir = "./output/detectors_cascade_rpn_R50_HSFPN_aitod"
