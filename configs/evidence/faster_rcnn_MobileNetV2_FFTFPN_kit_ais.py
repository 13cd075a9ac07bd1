"""Lazy twin of faster_rcnn_MobileNetV2_FFTFPN_kit_ais.yaml."""

from .._base_.faster_rcnn_MobileNetV2_FPN import model
from .._base_.fft_fpn import with_fftfpn
from .._base_.kit_ais_pretrained import dataloader, lr_multiplier, optimizer, train

model = with_fftfpn(model)
model.roi_heads.num_classes = 1
train.output_dir = "./output/evidence_faster_rcnn_MobileNetV2_FFTFPN_kit_ais"
