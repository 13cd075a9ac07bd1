"""Lazy twin of faster_rcnn_R18_FPN_kit_ais.yaml."""

from detectron2.config import LazyCall as L
from detectron2.data.transforms import RandomCrop

from .._base_.coco_data import dataloader
from .._base_.faster_rcnn_R18_FPN import model
from .._base_.sgd import multi_step, optimizer
from .._base_.train import train

model.roi_heads.num_classes = 1
crop = L(RandomCrop)(crop_type="absolute", crop_size=[192, 192])
dataloader.train.mapper.augmentations.insert(0, crop)
dataloader.train.dataset.names = "kit_ais_half_train"
dataloader.test.dataset.names = "kit_ais_half_val"
optimizer.lr = 0.02
# 1200 steps x 4 crops = 4800 crops, 107 of each of the 45 images
train.max_iter = 1200
lr_multiplier = multi_step(max_iter=1200, steps=[800, 1100], warmup=100)
train.seed = 7
train.output_dir = "./output/faster_rcnn_R18_FPN_kit_ais"
del crop
