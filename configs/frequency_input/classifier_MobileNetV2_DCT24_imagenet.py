"""Lazy twin of classifier_MobileNetV2_DCT24_imagenet.yaml."""

from .._base_.classifier_DCT import mobilenet_on_dct
from .._base_.classifier_MobileNetV2 import dataloader, lr_multiplier, model, optimizer, train

model = mobilenet_on_dct(model, dataloader, "24")
train.output_dir = "./output/classifier_MobileNetV2_DCT24_imagenet"
