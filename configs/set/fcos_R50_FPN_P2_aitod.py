"""Lazy twin of fcos_R50_FPN_P2_aitod.yaml."""

from .._base_.levels import on_p2_to_p6
from .fcos_R50_FPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model = on_p2_to_p6(model)
model.box_loss = "giou"
train.output_dir = "./output/set_fcos_R50_FPN_P2_aitod"
