"""Lazy twin of fcos_R18_FPN_kit_ais.yaml."""

from .._base_.fcos_R18_FPN import model
from .._base_.fcos_sgd import optimizer
from .._base_.kit_ais import dataloader, lr_multiplier, train

model.num_classes = 1
optimizer.lr = 0.01
optimizer.params.bias_lr_factor = 1.0
optimizer.params.weight_decay_bias = None
train.output_dir = "./output/set_fcos_R18_FPN_kit_ais"
