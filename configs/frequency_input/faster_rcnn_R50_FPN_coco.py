"""Lazy twin of faster_rcnn_R50_FPN_coco.yaml."""

from .mask_rcnn_R50_FPN_coco import dataloader, lr_multiplier, model, optimizer, train

for split in (dataloader.train, dataloader.test):
    split.mapper.use_instance_mask = False
for key in ("mask_in_features", "mask_pooler", "mask_head"):
    model.roi_heads.pop(key)
train.output_dir = "./output/frequency_input_faster_rcnn_R50_FPN_coco"
del key, split
