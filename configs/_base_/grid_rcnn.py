"""Lazy twin of grid_rcnn.yaml."""

from detectron2.config import LazyCall as L
from detectron2.modeling.poolers import ROIPooler

from d2freq.modeling.detectors.grid_rcnn import BoxScoreLayer, GridHead, GridROIHeads


def with_grid_rcnn(model):
    """The Faster R-CNN with boxes from a grid of points in the place of its regression."""
    heads = model.roi_heads
    scores = heads.box_predictor
    heads._target_ = GridROIHeads
    heads.box_predictor = L(BoxScoreLayer)(
        input_shape=scores.input_shape,
        num_classes="${..num_classes}",
        test_score_thresh=scores.test_score_thresh,
        test_nms_thresh=scores.test_nms_thresh,
        test_topk_per_image=scores.test_topk_per_image,
    )
    heads.grid_pooler = L(ROIPooler)(
        output_size=14,
        scales=heads.box_pooler.scales,
        sampling_ratio=0,
        pooler_type="ROIAlignV2",
    )
    heads.grid_head = L(GridHead)(
        in_channels="${...backbone.out_channels}",
        resolution="${..grid_pooler.output_size}",
        points=9,
        point_channels=64,
        num_conv=8,
    )
    return model
