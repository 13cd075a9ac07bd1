"""Lazy twin of cascade_rcnn_R50_FPN_RFLA_visdrone.yaml."""

from .._base_.rfla import proposal_generator
from .cascade_rcnn_R50_FPN_visdrone import dataloader, lr_multiplier, model, optimizer, train

proposal_generator.anchor_generator.aspect_ratios = [0.5, 1.0, 2.0]
model.proposal_generator.update(proposal_generator)
lr_multiplier.warmup_length = 5000 / train.max_iter
del proposal_generator
train.output_dir = "./output/set_cascade_rcnn_R50_FPN_RFLA_visdrone"
