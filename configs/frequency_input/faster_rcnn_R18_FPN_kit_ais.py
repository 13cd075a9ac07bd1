"""Lazy twin of faster_rcnn_R18_FPN_kit_ais.yaml."""

from ..hs_fpn.faster_rcnn_R18_FPN_kit_ais import dataloader, lr_multiplier, model, optimizer, train

train.output_dir = "./output/frequency_input_faster_rcnn_R18_FPN_kit_ais"
