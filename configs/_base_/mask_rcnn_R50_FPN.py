"""Lazy twin of mask_rcnn_R50_FPN.yaml: a mask head on the ground of faster_rcnn_R50_FPN.py.

Loaders have to bring masks: ``dataloader.train.mapper.use_instance_mask = True``.
"""

from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec
from detectron2.modeling.poolers import ROIPooler
from detectron2.modeling.roi_heads import MaskRCNNConvUpsampleHead

from .faster_rcnn_R50_FPN import model

proposals = model.proposal_generator
proposals.head.num_anchors = 3
proposals.anchor_generator.sizes = [[32], [64], [128], [256], [512]]
proposals.anchor_generator.aspect_ratios = [0.5, 1.0, 2.0]
proposals.pre_nms_topk = (2000, 1000)  # a level, in training and in inference
proposals.post_nms_topk = (1000, 1000)

heads = model.roi_heads
heads.box_predictor.test_topk_per_image = 100  # what COCO counts
heads.mask_in_features = ["p2", "p3", "p4", "p5"]
heads.mask_pooler = L(ROIPooler)(
    output_size=14,
    scales=(1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 32),
    sampling_ratio=0,
    pooler_type="ROIAlignV2",
)
heads.mask_head = L(MaskRCNNConvUpsampleHead)(
    input_shape=L(ShapeSpec)(channels="${....backbone.out_channels}", width=14, height=14),
    num_classes="${..num_classes}",
    conv_dims=[256] * 5,  # four convolutions and the one that upsamples
)
del heads, proposals
