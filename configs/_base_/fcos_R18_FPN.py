"""Lazy twin of fcos_R18_FPN.yaml: a small FCOS on P2 to P6 that learns from scratch on a CPU."""

from detectron2.config import LazyCall as L

from d2freq.modeling.hs_fpn import LastLevelP6

from .faster_rcnn_R18_FPN import model as two_stage
from .fcos_R50_FPN import model

model.backbone = two_stage.backbone
model.backbone.top_block = L(LastLevelP6)(
    in_channels="${..out_channels}", out_channels="${..out_channels}", in_feature="p5"
)
model.head.conv_dims = ["${...backbone.out_channels}"] * 2
model.head.norm = "GN"
model.head_in_features = ["p2", "p3", "p4", "p5", "p6"]
model.test_topk_candidates = 1000
model.max_detections_per_image = 300
del two_stage
