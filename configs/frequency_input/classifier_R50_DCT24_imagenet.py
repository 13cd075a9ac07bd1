"""Lazy twin of classifier_R50_DCT24_imagenet.yaml."""

from .._base_.classifier_DCT import resnet_on_dct
from .._base_.classifier_R50 import model
from .._base_.imagenet import dataloader, lr_multiplier, optimizer, train

model = resnet_on_dct(model, dataloader, "24")
train.output_dir = "./output/classifier_R50_DCT24_imagenet"
