"""Lazy twin of dino_5scale_R50_aitod.yaml."""

from .._base_.aitod import dataloader, train
from .._base_.detr import optimizer, with_detr_training
from .._base_.dino_5scale_R50 import model
from .._base_.sgd import multi_step

model.num_classes = 8
dataloader, train = with_detr_training(dataloader, train)
train.max_iter = 252324
lr_multiplier = multi_step(max_iter=252324, steps=[189243, 231297], warmup=0)
train.output_dir = "./output/dino_5scale_R50_aitod"
