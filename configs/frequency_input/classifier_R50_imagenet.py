"""Lazy twin of classifier_R50_imagenet.yaml."""

from .._base_.classifier_R50 import model
from .._base_.imagenet import dataloader, lr_multiplier, optimizer, train

train.output_dir = "./output/classifier_R50_imagenet"
