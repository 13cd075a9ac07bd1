"""Lazy twin of faster_rcnn_R18_unshuffle_FPN_kit_ais.yaml."""

from .._base_.dct import with_unshuffle
from .faster_rcnn_R18_FPN_kit_ais import dataloader, lr_multiplier, model, optimizer, train

model = with_unshuffle(model, "unshuffle_kit_ais")
train.output_dir = "./output/frequency_input_faster_rcnn_R18_unshuffle_FPN_kit_ais"
