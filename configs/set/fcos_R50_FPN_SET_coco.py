"""Lazy twin of fcos_R50_FPN_SET_coco.yaml."""

from .._base_.set import with_set
from .fcos_R50_FPN_coco import dataloader, lr_multiplier, model, optimizer, train

model = with_set(model)
train.output_dir = "./output/set_fcos_R50_FPN_SET_coco"
