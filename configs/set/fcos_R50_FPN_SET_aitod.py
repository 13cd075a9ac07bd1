"""Lazy twin of fcos_R50_FPN_SET_aitod.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.set import SET

from .fcos_R50_FPN_aitod import dataloader, lr_multiplier, optimizer, train
from .fcos_R50_FPN_aitod import model as detector

model = L(SET)(detector=detector)
del detector
train.output_dir = "./output/set_fcos_R50_FPN_SET_aitod"
