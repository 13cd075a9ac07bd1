"""Lazy twin of fcos_R50_FPN_visdrone.yaml."""

from .._base_.fcos_R50_FPN import model
from .._base_.fcos_sgd import constant_warmup, optimizer
from .._base_.visdrone import dataloader, train

model.num_classes = 10
lr_multiplier = constant_warmup(max_iter=38826, steps=[25884, 35590])
train.output_dir = "./output/set_fcos_R50_FPN_visdrone"
