"""Lazy twin of faster_rcnn_R18_DCT_FPN_SET_kit_ais.yaml."""

from detectron2.config import LazyCall as L

from d2freq.modeling.set import SET

from .faster_rcnn_R18_DCT_FPN_kit_ais import dataloader, lr_multiplier, optimizer, train
from .faster_rcnn_R18_DCT_FPN_kit_ais import model as detector

model = L(SET)(detector=detector)
del detector
train.output_dir = "./output/frequency_input_faster_rcnn_R18_DCT_FPN_SET_kit_ais"
