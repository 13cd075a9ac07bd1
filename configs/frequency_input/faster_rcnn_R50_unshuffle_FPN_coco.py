"""Lazy twin of faster_rcnn_R50_unshuffle_FPN_coco.yaml."""

from .._base_.dct import with_unshuffle
from .faster_rcnn_R50_FPN_coco import dataloader, lr_multiplier, model, optimizer, train

model = with_unshuffle(model, "unshuffle_coco")
train.output_dir = "./output/frequency_input_faster_rcnn_R50_unshuffle_FPN_coco"
