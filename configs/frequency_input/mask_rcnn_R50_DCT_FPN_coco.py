"""Lazy twin of mask_rcnn_R50_DCT_FPN_coco.yaml."""

from .._base_.dct import with_dct
from .mask_rcnn_R50_FPN_coco import dataloader, lr_multiplier, model, optimizer, train

model = with_dct(model, "dct_coco")
train.output_dir = "./output/frequency_input_mask_rcnn_R50_DCT_FPN_coco"
