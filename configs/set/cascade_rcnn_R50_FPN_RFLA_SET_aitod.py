"""Lazy twin of cascade_rcnn_R50_FPN_RFLA_SET_aitod.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.set import SET

from .cascade_rcnn_R50_FPN_RFLA_aitod import dataloader, lr_multiplier, optimizer, train
from .cascade_rcnn_R50_FPN_RFLA_aitod import model as detector

model = L(SET)(detector=detector)
del detector
train.output_dir = "./output/set_cascade_rcnn_R50_FPN_RFLA_SET_aitod"
