"""Lazy twin of fcos_R50_FPN.yaml: FCOS on P3 to P7, the larger levels by convolutions on P5."""

from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone.fpn import LastLevelP6P7
from detectron2.modeling.meta_arch.fcos import FCOSHead

from d2freq.modeling.detectors.fcos import FCOS

from .faster_rcnn_R50_FPN import model as two_stage

model = L(FCOS)(
    backbone=two_stage.backbone,
    head=L(FCOSHead)(
        input_shape=[L(ShapeSpec)(channels="${....backbone.out_channels}") for _ in range(5)],
        num_classes="${..num_classes}",
        conv_dims=["${...backbone.out_channels}"] * 4,
    ),
    # Strides, and with them the sizes that a level takes, follow from the backbone.
    head_in_features=["p3", "p4", "p5", "p6", "p7"],
    num_classes=80,
    box_loss="diou",
    centerness_weighted=True,
    normalizer="batch",
    score="product",
    test_score_thresh=0.05,
    test_topk_candidates=3000,  # a level
    test_nms_thresh=0.5,
    max_detections_per_image=3000,
    pixel_mean=two_stage.pixel_mean,
    pixel_std=two_stage.pixel_std,
    input_format=two_stage.input_format,
)
model.backbone.bottom_up.out_features = ["res3", "res4", "res5"]
model.backbone.top_block = L(LastLevelP6P7)(
    in_channels="${..out_channels}", out_channels="${..out_channels}", in_feature="p5"
)
del two_stage
