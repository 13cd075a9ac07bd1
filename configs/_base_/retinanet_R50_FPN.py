"""Lazy twin of retinanet_R50_FPN.yaml: RetinaNet on P2 to P6."""

from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec
from detectron2.modeling.anchor_generator import DefaultAnchorGenerator
from detectron2.modeling.box_regression import Box2BoxTransform
from detectron2.modeling.matcher import Matcher
from detectron2.modeling.meta_arch import RetinaNet
from detectron2.modeling.meta_arch.retinanet import RetinaNetHead

from .faster_rcnn_R50_FPN import model as two_stage
from .levels import on_p2_to_p6
from .published import with_published

model = L(RetinaNet)(
    backbone=two_stage.backbone,
    head=L(RetinaNetHead)(
        input_shape=[L(ShapeSpec)(channels="${....backbone.out_channels}") for _ in range(5)],
        num_classes="${..num_classes}",
        num_anchors=9,
        conv_dims=["${...backbone.out_channels}"] * 4,
    ),
    anchor_generator=L(DefaultAnchorGenerator)(
        # basic size 2, and three scales an octave
        sizes=[[size * 2 ** (octave / 3) for octave in range(3)] for size in (8, 16, 32, 64, 128)],
        aspect_ratios=[0.5, 1.0, 2.0],
        strides=[4, 8, 16, 32, 64],
        offset=0.0,
    ),
    box2box_transform=L(Box2BoxTransform)(weights=[1.0, 1.0, 1.0, 1.0]),
    anchor_matcher=L(Matcher)(
        thresholds=[0.4, 0.5], labels=[0, -1, 1], allow_low_quality_matches=True
    ),
    num_classes=80,
    test_topk_candidates=3000,  # a level
    max_detections_per_image=3000,
    pixel_mean=two_stage.pixel_mean,
    pixel_std=two_stage.pixel_std,
    input_format=two_stage.input_format,
)
model = on_p2_to_p6(with_published(model), source="res5")
del two_stage
