"""Lazy twin of faster_rcnn_R18_random_FPN_kit_ais.yaml."""

from .._base_.dct import with_dct
from .faster_rcnn_R18_FPN_kit_ais import dataloader, lr_multiplier, model, optimizer, train

model = with_dct(model, "random_kit_ais", channels="all", seed=0)
train.output_dir = "./output/frequency_input_faster_rcnn_R18_random_FPN_kit_ais"
