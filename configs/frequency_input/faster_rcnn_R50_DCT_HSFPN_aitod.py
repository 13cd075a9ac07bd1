"""Lazy twin of faster_rcnn_R50_DCT_HSFPN_aitod.yaml."""

from .._base_.dct import with_dct
from ..hs_fpn.faster_rcnn_R50_HSFPN_aitod import dataloader, lr_multiplier, model, optimizer, train

model = with_dct(model, "dct_kit_ais")
train.output_dir = "./output/frequency_input_faster_rcnn_R50_DCT_HSFPN_aitod"
