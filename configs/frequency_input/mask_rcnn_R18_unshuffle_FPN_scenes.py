"""Lazy twin of mask_rcnn_R18_unshuffle_FPN_scenes.yaml."""

from .._base_.dct import with_unshuffle
from .mask_rcnn_R18_FPN_scenes import dataloader, lr_multiplier, model, optimizer, train

model = with_unshuffle(model, "unshuffle_scenes")
train.output_dir = "./output/frequency_input_mask_rcnn_R18_unshuffle_FPN_scenes"
