"""Lazy twin of classifier_R50.yaml."""

from detectron2.config import LazyCall as L
from detectron2.modeling.backbone import BasicStem, ResNet

from d2freq.modeling.classification import ImageClassifier

model = L(ImageClassifier)(
    backbone=L(ResNet)(
        stem=L(BasicStem)(in_channels=3, out_channels=64, norm="BN"),
        stages=L(ResNet.make_default_stages)(depth=50, stride_in_1x1=False, norm="BN"),
        out_features=["res5"],
        freeze_at=0,
    ),
    num_classes=1000,
    pixel_mean=[123.675, 116.28, 103.53],
    pixel_std=[58.395, 57.12, 57.375],
    input_format="RGB",
)
