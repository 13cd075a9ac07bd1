"""Lazy twin of mask_rcnn_R50_random_FPN_coco.yaml."""

from .._base_.dct import with_dct
from .mask_rcnn_R50_FPN_coco import dataloader, lr_multiplier, model, optimizer, train

model = with_dct(model, "random_coco", channels="all", seed=0)
train.output_dir = "./output/frequency_input_mask_rcnn_R50_random_FPN_coco"
