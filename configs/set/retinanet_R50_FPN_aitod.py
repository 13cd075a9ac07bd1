"""Lazy twin of retinanet_R50_FPN_aitod.yaml."""

from detectron2.config import LazyCall as L
from detectron2.modeling.backbone.fpn import LastLevelP6P7

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.retinanet_R50_FPN import model

model.num_classes = 8
model.backbone.bottom_up.out_features = ["res3", "res4", "res5"]
model.backbone.top_block = L(LastLevelP6P7)(
    in_channels="${..out_channels}", out_channels="${..out_channels}", in_feature="p5"
)
model.head_in_features = ["p3", "p4", "p5", "p6", "p7"]
# RetinaNet's own: 4 x the stride of a level x 2^(0, 1/3, 2/3)
model.anchor_generator.sizes = [
    [size * 2 ** (octave / 3) for octave in range(3)] for size in (32, 64, 128, 256, 512)
]
model.anchor_generator.strides = [8, 16, 32, 64, 128]
optimizer.lr = 0.005
train.output_dir = "./output/set_retinanet_R50_FPN_aitod"
