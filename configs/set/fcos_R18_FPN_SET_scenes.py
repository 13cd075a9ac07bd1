"""Lazy twin of fcos_R18_FPN_SET_scenes.yaml."""

from .._base_.set import with_set
from .fcos_R18_FPN_scenes import dataloader, lr_multiplier, model, optimizer, train

model = with_set(model)
train.output_dir = "./output/set_fcos_R18_FPN_SET_scenes"
