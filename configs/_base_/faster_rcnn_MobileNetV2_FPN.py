"""Lazy twin of faster_rcnn_MobileNetV2_FPN.yaml: a small detector for ImageNet's weights."""

from detectron2.config import LazyCall as L

from d2freq.modeling.backbones import MobileNetV2

from .faster_rcnn_R18_FPN import model

model.backbone.bottom_up = L(MobileNetV2)(
    out_features=["res2", "res3", "res4", "res5"],
    norm="FrozenStatsBN",
    freeze_at=0,
)
model.proposal_generator.pre_nms_topk = (500, 1000)
model.proposal_generator.post_nms_topk = (200, 300)
model.roi_heads.batch_size_per_image = 64
