"""Lazy twin of atss_R18_FPN_scenes.yaml."""

from .._base_.atss_R18_FPN import model
from .._base_.fcos_sgd import optimizer
from .._base_.scenes import dataloader, lr_multiplier, train

model.num_classes = 5
optimizer.lr = 0.01
optimizer.params.bias_lr_factor = 1.0
optimizer.params.weight_decay_bias = None
train.output_dir = "./output/detectors_atss_R18_FPN_scenes"
