"""Lazy twin of faster_rcnn_R18_HSFPN_scenes_16bit_1band.yaml."""

from .._base_.pixels import with_channels, with_pixels
from .faster_rcnn_R18_HSFPN_scenes import dataloader, lr_multiplier, model, optimizer, train

dataloader = with_pixels(dataloader, range=[0, 4095], bands=[1])
model = with_channels(model, mean=[116.28], std=[57.12])
dataloader.train.dataset.names = "tiny_scenes_16bit_1band_train"
dataloader.test.dataset.names = "tiny_scenes_16bit_1band_val"
train.output_dir = "./output/faster_rcnn_R18_HSFPN_scenes_16bit_1band"
