"""Lazy twin of mask_rcnn_R50_FPN_coco.yaml."""

from .._base_.dct_coco import dataloader, lr_multiplier, optimizer, train
from .._base_.mask_rcnn_R50_FPN import model

for split in (dataloader.train, dataloader.test):
    split.mapper.use_instance_mask = True
model.backbone.bottom_up.freeze_at = 0
train.output_dir = "./output/frequency_input_mask_rcnn_R50_FPN_coco"
del split
