"""Lazy twin of classifier_R50_DCT64_released_imagenet.yaml."""

from .._base_.classifier_DCT import resnet_on_dct
from .._base_.classifier_R50 import model
from .._base_.imagenet import dataloader, lr_multiplier, optimizer, train

resnet_on_dct(model, dataloader, "64", res3_stride=1)
train.output_dir = "./output/classifier_R50_DCT64_released_imagenet"
