"""Lazy twin of fcos_R50_FPN.yaml: FCOS on P3 to P7, the larger levels by convolutions on P5."""

from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec
from detectron2.modeling.meta_arch.fcos import FCOSHead

from d2freq.modeling.backbones import FPN
from d2freq.modeling.detectors.fcos import FCOS

from .faster_rcnn_R50_FPN import model as two_stage
from .levels import on_p3_to_p7

model = L(FCOS)(
    backbone=two_stage.backbone,
    head=L(FCOSHead)(
        input_shape=[L(ShapeSpec)(channels="${....backbone.out_channels}") for _ in range(5)],
        num_classes="${..num_classes}",
        conv_dims=["${...backbone.out_channels}"] * 4,
    ),
    num_classes=80,
    box_loss="diou",
    centerness_weighted=True,
    normalizer="batch",
    score="product",
    inference="published",
    test_score_thresh=0.05,  # of the probability
    test_topk_candidates=3000,  # a level
    test_nms_thresh=0.5,
    max_detections_per_image=3000,
    pixel_mean=two_stage.pixel_mean,
    pixel_std=two_stage.pixel_std,
    input_format=two_stage.input_format,
)
model.backbone._target_ = FPN
model.backbone.lateral_init = "xavier"
# Strides, and with them the sizes that a level takes, follow from the backbone.
model = on_p3_to_p7(model)
del two_stage
