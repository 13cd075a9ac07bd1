"""Lazy twin of faster_rcnn_R50_learned_FPN_coco.yaml."""

from .._base_.dct import with_learned
from .faster_rcnn_R50_FPN_coco import dataloader, lr_multiplier, model, optimizer, train

model = with_learned(model)
train.output_dir = "./output/frequency_input_faster_rcnn_R50_learned_FPN_coco"
