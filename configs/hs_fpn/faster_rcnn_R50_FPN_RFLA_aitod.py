"""Lazy twin of faster_rcnn_R50_FPN_RFLA_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.faster_rcnn_R50_FPN import model
from .._base_.published import with_published
from .._base_.rfla import with_rfla

model = with_rfla(with_published(model))
model.roi_heads.num_classes = 8
lr_multiplier.warmup_length = 5000 / train.max_iter
train.output_dir = "./output/faster_rcnn_R50_FPN_RFLA_aitod"
