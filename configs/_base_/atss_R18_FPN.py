"""Lazy twin of atss_R18_FPN.yaml: a small ATSS on P2 to P6 that learns from scratch on a CPU."""

from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec

from d2freq.modeling.detectors.atss import ATSS
from d2freq.modeling.detectors.dense import ScaledHead

from .faster_rcnn_R18_FPN import model as two_stage
from .levels import on_p2_to_p6

model = L(ATSS)(
    backbone=two_stage.backbone,
    head=L(ScaledHead)(
        input_shape=[L(ShapeSpec)(channels="${....backbone.out_channels}") for _ in range(5)],
        num_classes="${..num_classes}",
        num_convs=2,
    ),
    num_classes=80,
    anchor_scale=2.0,
    max_detections_per_image=300,
    pixel_mean=two_stage.pixel_mean,
    pixel_std=two_stage.pixel_std,
    input_format=two_stage.input_format,
)
model = on_p2_to_p6(model)
del two_stage
