"""Lazy twin of classifier_MobileNetV2.yaml: the model, and a schedule for its long training."""

from detectron2.config import LazyCall as L
from fvcore.common.param_scheduler import CosineParamScheduler

from d2freq.modeling.backbones import MobileNetV2
from d2freq.modeling.classification import ImageClassifier

from .imagenet import dataloader, lr_multiplier, optimizer, train

model = L(ImageClassifier)(
    backbone=L(MobileNetV2)(out_features=["res5"], norm="BN", freeze_at=0),
    num_classes=1000,
    dropout=0.2,
    pixel_mean=[123.675, 116.28, 103.53],
    pixel_std=[58.395, 57.12, 57.375],
    input_format="RGB",
)
optimizer.lr = 0.05
optimizer.weight_decay = 0.00004
train.max_iter = 750684  # 150 epochs x 1281167 images / 256 a batch
lr_multiplier.scheduler = L(CosineParamScheduler)(start_value=1.0, end_value=0.0)
