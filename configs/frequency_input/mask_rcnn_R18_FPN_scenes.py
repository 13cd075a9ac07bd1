"""Lazy twin of mask_rcnn_R18_FPN_scenes.yaml."""

from .._base_.coco_data import with_masks
from .._base_.mask_rcnn_R50_FPN import with_mask_head
from ..demo.faster_rcnn_R18_FPN_scenes import dataloader, lr_multiplier, model, optimizer, train

model = with_mask_head(model, conv_dims=[64] * 3)
dataloader = with_masks(dataloader)
# whole scenes: to cut polygons off at the border of the crop needs shapely
del dataloader.train.mapper.augmentations[0]
train.output_dir = "./output/frequency_input_mask_rcnn_R18_FPN_scenes"
