"""Lazy twin of fcos_R50_FPN_SET_aitod.yaml."""

from .._base_.aitod import dataloader, train
from .._base_.fcos_R50_FPN import model
from .._base_.fcos_sgd import constant_warmup, optimizer
from .._base_.set import with_set

model.num_classes = 8
model = with_set(model)
lr_multiplier = constant_warmup(max_iter=84108, steps=[56072, 77099])
train.output_dir = "./output/set_fcos_R50_FPN_SET_aitod"
