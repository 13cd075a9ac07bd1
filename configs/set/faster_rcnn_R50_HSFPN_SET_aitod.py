"""Lazy twin of faster_rcnn_R50_HSFPN_SET_aitod.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.set import SET

from ..hs_fpn.faster_rcnn_R50_HSFPN_aitod import dataloader, lr_multiplier, optimizer, train
from ..hs_fpn.faster_rcnn_R50_HSFPN_aitod import model as detector

model = L(SET)(detector=detector)
del detector
train.output_dir = "./output/set_faster_rcnn_R50_HSFPN_SET_aitod"
