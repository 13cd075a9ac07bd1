"""Lazy twin of faster_rcnn_MobileNetV2_FPN_aitod.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.backbones import MobileNetV2

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.faster_rcnn_R50_FPN import model
from .._base_.published import with_published

model = with_published(model)
model.roi_heads.num_classes = 8
model.backbone.bottom_up = L(MobileNetV2)(
    out_features=["res2", "res3", "res4", "res5"],
    norm="FrozenStatsBN",
    freeze_at=0,
)
train.output_dir = "./output/faster_rcnn_MobileNetV2_FPN_aitod"
