"""Lazy twin of mask_rcnn_R18_FPN_scenes.yaml."""

from .._base_.mask_rcnn_R50_FPN import model as large
from ..demo.faster_rcnn_R18_FPN_scenes import dataloader, lr_multiplier, model, optimizer, train

for split in (dataloader.train, dataloader.test):
    split.mapper.use_instance_mask = True
heads = large.roi_heads
model.roi_heads.update(
    mask_in_features=heads.mask_in_features,
    mask_pooler=heads.mask_pooler,
    mask_head=heads.mask_head,
)
model.roi_heads.mask_head.conv_dims = [64] * 3  # two convolutions and the one that upsamples
train.output_dir = "./output/frequency_input_mask_rcnn_R18_FPN_scenes"
# whole scenes: to cut polygons off at the border of the crop needs shapely
del dataloader.train.mapper.augmentations[0]
del large, heads, split
