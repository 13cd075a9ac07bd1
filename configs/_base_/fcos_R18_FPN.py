"""Lazy twin of fcos_R18_FPN.yaml: a small FCOS on P2 to P6 that learns from scratch on a CPU."""

from .faster_rcnn_R18_FPN import model as two_stage
from .fcos_R50_FPN import model
from .levels import on_p2_to_p6

model.backbone = two_stage.backbone
model = on_p2_to_p6(model)
model.head.conv_dims = ["${...backbone.out_channels}"] * 2
model.head.norm = "GN"
model.test_topk_candidates = 1000
model.max_detections_per_image = 300
del two_stage
