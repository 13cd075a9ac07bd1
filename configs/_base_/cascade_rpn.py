"""Lazy twin of cascade_rpn.yaml."""

from detectron2.config import LazyCall as L
from detectron2.modeling.box_regression import Box2BoxTransform

from d2freq.modeling.assignment import MaxIoUAssigner
from d2freq.modeling.detectors.cascade_rpn import CascadeRPN, CascadeRPNHead, RegionAssigner
from d2freq.modeling.roi_heads import WeightedOutputLayers


def with_cascade_rpn(model):
    """The Faster R-CNN on proposals of Cascade RPN, with a box head as that paper sets it.

    Its clipping is a config's: ``train.clip_gradients = dict(enabled=True,
    clip_type="full_model", clip_value=35.0)``.
    """
    rpn, heads = model.proposal_generator, model.roi_heads
    anchors = rpn.anchor_generator
    anchors.aspect_ratios = [1.0]
    model.proposal_generator = L(CascadeRPN)(
        in_features=rpn.in_features,
        head=L(CascadeRPNHead)(
            in_channels="${...backbone.out_channels}", strides=anchors.strides, dilation=3
        ),
        anchor_generator=anchors,
        region_assigner=L(RegionAssigner)(center_ratio=0.2, ignore_ratio=0.5),
        anchor_matcher=L(MaxIoUAssigner)(positive_iou=0.7, negative_iou=0.7, min_positive_iou=0.3),
        box2box_transforms=[
            L(Box2BoxTransform)(weights=[10.0, 10.0, 2.0, 2.0]),
            L(Box2BoxTransform)(weights=[20.0, 20.0, 10.0, 10.0]),
        ],
        batch_size_per_image=rpn.batch_size_per_image,
        positive_fraction=rpn.positive_fraction,
        pre_nms_topk=rpn.pre_nms_topk,
        post_nms_topk=rpn.post_nms_topk,
        nms_thresh=0.8,
        loc_weight=7.0,
        cls_weight=0.7,
        stage1_divisor=200.0,
    )
    heads.proposal_matcher.thresholds = [0.65]
    heads.batch_size_per_image = 256
    heads.box_predictor._target_ = WeightedOutputLayers
    heads.box_predictor.box2box_transform.weights = [25.0, 25.0, 12.5, 12.5]
    heads.box_predictor.smooth_l1_beta = 1.0
    heads.box_predictor.cls_loss_weight = 1.5
    return model
