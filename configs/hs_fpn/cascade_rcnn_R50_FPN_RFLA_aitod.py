"""Lazy twin of cascade_rcnn_R50_FPN_RFLA_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.cascade_rcnn_R50_FPN import model
from .._base_.rfla import proposal_generator

model.roi_heads.num_classes = 8
model.proposal_generator.update(proposal_generator)
lr_multiplier.warmup_length = 5000 / train.max_iter
train.output_dir = "./output/cascade_rcnn_R50_FPN_RFLA_aitod"
del proposal_generator
