"""Lazy twin of retinanet_R50_FPN_P2_SET_aitod.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.set import SET

from .retinanet_R50_FPN_P2_aitod import dataloader, lr_multiplier, optimizer, train
from .retinanet_R50_FPN_P2_aitod import model as detector

model = L(SET)(detector=detector)
del detector
train.output_dir = "./output/set_retinanet_R50_FPN_P2_SET_aitod"
