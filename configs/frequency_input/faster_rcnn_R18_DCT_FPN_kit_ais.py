"""Lazy twin of faster_rcnn_R18_DCT_FPN_kit_ais.yaml."""

from .._base_.dct import with_dct
from ..hs_fpn.faster_rcnn_R18_FPN_kit_ais import dataloader, lr_multiplier, model, optimizer, train

model = with_dct(model, "dct_kit_ais")
train.output_dir = "./output/frequency_input_faster_rcnn_R18_DCT_FPN_kit_ais"
