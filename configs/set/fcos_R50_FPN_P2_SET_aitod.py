"""Lazy twin of fcos_R50_FPN_P2_SET_aitod.yaml."""

from .._base_.set import with_set
from .fcos_R50_FPN_P2_aitod import dataloader, lr_multiplier, model, optimizer, train

model = with_set(model)
train.output_dir = "./output/set_fcos_R50_FPN_P2_SET_aitod"
