"""Lazy twin of auto_assign_R18_FPN.yaml: AutoAssign on the backbone of ATSS, with P6 from C5."""

from d2freq.modeling.detectors.auto_assign import AutoAssign

from .atss_R18_FPN import model
from .levels import on_p2_to_p6

model._target_ = AutoAssign
del model.anchor_scale
model.head.update(conv_bias=True, prior_prob=0.02, box_bias=4.0)
model = on_p2_to_p6(model, source="res5")
model.backbone.top_block.in_channels = 512  # C5 of ResNet-18
