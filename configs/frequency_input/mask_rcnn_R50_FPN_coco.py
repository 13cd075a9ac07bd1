"""Lazy twin of mask_rcnn_R50_FPN_coco.yaml."""

from .._base_.coco_data import with_masks
from .._base_.dct_coco import dataloader, lr_multiplier, optimizer, train
from .._base_.mask_rcnn_R50_FPN import model

dataloader = with_masks(dataloader)
model.backbone.bottom_up.freeze_at = 0
train.output_dir = "./output/frequency_input_mask_rcnn_R50_FPN_coco"
