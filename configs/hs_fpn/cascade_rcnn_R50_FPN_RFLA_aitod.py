"""Lazy twin of cascade_rcnn_R50_FPN_RFLA_aitod.yaml."""

from .._base_.aitod import dataloader, lr_multiplier, optimizer, train
from .._base_.cascade_rcnn_R50_FPN import model
from .._base_.rfla import with_rfla

model.roi_heads.num_classes = 8
model = with_rfla(model)
lr_multiplier.warmup_length = 5000 / train.max_iter
train.output_dir = "./output/cascade_rcnn_R50_FPN_RFLA_aitod"
