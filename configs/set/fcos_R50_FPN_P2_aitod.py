"""Lazy twin of fcos_R50_FPN_P2_aitod.yaml."""

from d2freq.modeling.hs_fpn import LastLevelP6

from .fcos_R50_FPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model.backbone.bottom_up.out_features = ["res2", "res3", "res4", "res5"]
model.backbone.top_block._target_ = LastLevelP6
model.head_in_features = ["p2", "p3", "p4", "p5", "p6"]
model.box_loss = "giou"
train.output_dir = "./output/set_fcos_R50_FPN_P2_aitod"
