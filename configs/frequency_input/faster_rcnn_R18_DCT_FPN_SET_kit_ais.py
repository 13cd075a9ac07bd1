"""Lazy twin of faster_rcnn_R18_DCT_FPN_SET_kit_ais.yaml."""

from .._base_.set import with_set
from .faster_rcnn_R18_DCT_FPN_kit_ais import dataloader, lr_multiplier, model, optimizer, train

model = with_set(model)
train.output_dir = "./output/frequency_input_faster_rcnn_R18_DCT_FPN_SET_kit_ais"
