"""Lazy twin of retinanet_R50_FPN_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.retinanet_R50_FPN import model

model.num_classes = 8
optimizer.lr = 0.001
train.output_dir = "./output/retinanet_R50_FPN_aitod"
