"""Lazy twin of faster_rcnn_MobileNetV2_WaveletFPN_kit_ais.yaml."""

from .._base_.faster_rcnn_MobileNetV2_FPN import model
from .._base_.kit_ais_pretrained import dataloader, lr_multiplier, optimizer, train
from .._base_.wavelet_fpn import with_waveletfpn

model = with_waveletfpn(model)
model.roi_heads.num_classes = 1
train.output_dir = "./output/evidence_faster_rcnn_MobileNetV2_WaveletFPN_kit_ais"
