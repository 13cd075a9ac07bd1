"""Lazy twin of cascade_rcnn_R50_FPN_RFLA_visdrone.yaml."""

from .._base_.rfla import with_rfla
from .cascade_rcnn_R50_FPN_visdrone import dataloader, lr_multiplier, model, optimizer, train

model = with_rfla(model)
lr_multiplier.warmup_length = 5000 / train.max_iter
train.output_dir = "./output/set_cascade_rcnn_R50_FPN_RFLA_visdrone"
