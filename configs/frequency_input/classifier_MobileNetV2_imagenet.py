"""Lazy twin of classifier_MobileNetV2_imagenet.yaml."""

from .._base_.classifier_MobileNetV2 import dataloader, lr_multiplier, model, optimizer, train

train.output_dir = "./output/classifier_MobileNetV2_imagenet"
