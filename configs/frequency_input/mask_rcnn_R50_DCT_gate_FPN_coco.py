"""Lazy twin of mask_rcnn_R50_DCT_gate_FPN_coco.yaml."""

from .._base_.coco_data import with_masks
from .._base_.dct import with_gate
from .._base_.dct_coco import dataloader, lr_multiplier, optimizer, train
from .._base_.mask_rcnn_R50_FPN import model

model = with_gate(model, "dct_coco")
dataloader = with_masks(dataloader)
train.output_dir = "./output/frequency_input_mask_rcnn_R50_DCT_gate_FPN_coco"
