"""Lazy twin of retinanet_R50_FPN_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.levels import on_p3_to_p7
from .._base_.retinanet_R50_FPN import model

model.num_classes = 8
model = on_p3_to_p7(model)
# RetinaNet's own: 4 x the stride of a level x 2^(0, 1/3, 2/3)
model.anchor_generator.sizes = [
    [size * 2 ** (octave / 3) for octave in range(3)] for size in (32, 64, 128, 256, 512)
]
model.anchor_generator.strides = [8, 16, 32, 64, 128]
optimizer.lr = 0.005
train.output_dir = "./output/set_retinanet_R50_FPN_aitod"
