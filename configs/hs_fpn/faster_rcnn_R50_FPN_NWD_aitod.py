"""Lazy twin of faster_rcnn_R50_FPN_NWD_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.faster_rcnn_R50_FPN import model
from .._base_.nwd import with_nwd

model.roi_heads.num_classes = 8
model = with_nwd(model)
train.output_dir = "./output/faster_rcnn_R50_FPN_NWD_aitod"
