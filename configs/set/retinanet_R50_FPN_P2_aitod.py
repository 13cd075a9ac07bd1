"""Lazy twin of retinanet_R50_FPN_P2_aitod.yaml."""

from .._base_.levels import on_p2_to_p6
from .retinanet_R50_FPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model = on_p2_to_p6(model)
# 4 x the stride of a level x 2^(0, 1/3, 2/3)
model.anchor_generator.sizes = [
    [size * 2 ** (octave / 3) for octave in range(3)] for size in (16, 32, 64, 128, 256)
]
model.anchor_generator.strides = [4, 8, 16, 32, 64]
train.output_dir = "./output/set_retinanet_R50_FPN_P2_aitod"
