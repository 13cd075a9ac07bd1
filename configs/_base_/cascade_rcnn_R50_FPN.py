"""Lazy twin of cascade_rcnn_R50_FPN.yaml: a cascade on the ground of faster_rcnn_R50_FPN.py."""

from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec
from detectron2.modeling.box_regression import Box2BoxTransform
from detectron2.modeling.matcher import Matcher
from detectron2.modeling.roi_heads import (
    CascadeROIHeads,
    FastRCNNConvFCHead,
    FastRCNNOutputLayers,
)

from .faster_rcnn_R50_FPN import model

# anchors that cross the border of the image stay out of training
model.proposal_generator.anchor_boundary_thresh = 0
model.proposal_generator.smooth_l1_beta = 1 / 9

heads = model.roi_heads
for key in ("box_head", "box_predictor", "proposal_matcher"):
    heads.pop(key)
heads.update(
    _target_=CascadeROIHeads,
    proposal_matchers=[
        L(Matcher)(thresholds=[iou], labels=[0, 1], allow_low_quality_matches=False)
        for iou in (0.5, 0.6, 0.7)
    ],
    box_heads=[
        L(FastRCNNConvFCHead)(
            input_shape=L(ShapeSpec)(channels="${.....backbone.out_channels}", height=7, width=7),
            conv_dims=[],
            fc_dims=[1024, 1024],
        )
        for _ in range(3)
    ],
    box_predictors=[
        L(FastRCNNOutputLayers)(
            input_shape=L(ShapeSpec)(channels=1024),
            box2box_transform=L(Box2BoxTransform)(
                weights=[10.0 * stage, 10.0 * stage, 5.0 * stage, 5.0 * stage]
            ),
            num_classes="${...num_classes}",
            cls_agnostic_bbox_reg=True,
            smooth_l1_beta=1.0,
            test_score_thresh=0.05,
            test_nms_thresh=0.5,
            test_topk_per_image=3000,
        )
        for stage in (1, 2, 3)
    ],
)
del heads, key
