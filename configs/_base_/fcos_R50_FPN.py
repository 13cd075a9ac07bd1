"""FCOS on P3 to P7, the larger levels by convolutions on P5.

Lazy alone: Detectron2 has neither a name for FCOS in META_ARCH_REGISTRY nor keys for a YAML config.
"""

from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone.fpn import LastLevelP6P7
from detectron2.modeling.meta_arch.fcos import FCOS, FCOSHead

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
    # A score is the root of probability times centerness: 0.2 here is 0.04 of their product.
    test_score_thresh=0.2,
    test_topk_candidates=3000,  # a level
    test_nms_thresh=0.5,
    max_detections_per_image=3000,
    pixel_mean=two_stage.pixel_mean,
    pixel_std=two_stage.pixel_std,
)
model.backbone.bottom_up.out_features = ["res3", "res4", "res5"]
model.backbone.top_block = L(LastLevelP6P7)(
    in_channels="${..out_channels}", out_channels="${..out_channels}", in_feature="p5"
)
del two_stage
