"""Lazy twin of cascade_rcnn_R50_FPN_NWD_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.cascade_rcnn_R50_FPN import model
from .._base_.nwd import proposal_generator

model.roi_heads.num_classes = 8
model.proposal_generator.update(proposal_generator)
train.output_dir = "./output/cascade_rcnn_R50_FPN_NWD_aitod"
del proposal_generator
