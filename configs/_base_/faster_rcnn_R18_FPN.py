"""Lazy twin of faster_rcnn_R18_FPN.yaml: a small detector that learns from scratch on a CPU."""

from .faster_rcnn_R50_FPN import model

backbone = model.backbone
backbone.bottom_up.stem.norm = "BN"
backbone.bottom_up.stages.depth = 18
backbone.bottom_up.stages.norm = "BN"
backbone.bottom_up.freeze_at = 0
del backbone.bottom_up.stages.stride_in_1x1  # basic blocks have no 1x1 convolution
backbone.out_channels = 128
backbone.norm = "GN"

model.proposal_generator.head.num_anchors = 3
model.proposal_generator.anchor_generator.aspect_ratios = [0.5, 1.0, 2.0]
model.proposal_generator.pre_nms_topk = (1000, 1000)
model.proposal_generator.post_nms_topk = (300, 300)
model.roi_heads.batch_size_per_image = 128
model.roi_heads.box_head.fc_dims = [512, 512]
model.roi_heads.box_predictor.input_shape.channels = 512
model.roi_heads.box_predictor.test_topk_per_image = 300
del backbone
