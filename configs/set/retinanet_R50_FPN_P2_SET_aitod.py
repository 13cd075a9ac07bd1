"""Lazy twin of retinanet_R50_FPN_P2_SET_aitod.yaml."""

from .._base_.set import with_set
from .retinanet_R50_FPN_P2_aitod import dataloader, lr_multiplier, model, optimizer, train

model = with_set(model)
train.output_dir = "./output/set_retinanet_R50_FPN_P2_SET_aitod"
