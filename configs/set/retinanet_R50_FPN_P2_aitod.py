"""Lazy twin of retinanet_R50_FPN_P2_aitod.yaml."""

from d2freq.modeling.hs_fpn import LastLevelP6

from .retinanet_R50_FPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model.backbone.bottom_up.out_features = ["res2", "res3", "res4", "res5"]
model.backbone.top_block._target_ = LastLevelP6
model.head_in_features = ["p2", "p3", "p4", "p5", "p6"]
# 4 x the stride of a level x 2^(0, 1/3, 2/3)
model.anchor_generator.sizes = [
    [size * 2 ** (octave / 3) for octave in range(3)] for size in (16, 32, 64, 128, 256)
]
model.anchor_generator.strides = [4, 8, 16, 32, 64]
train.output_dir = "./output/set_retinanet_R50_FPN_P2_aitod"
