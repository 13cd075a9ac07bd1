"""Lazy twin of fcos_R18_FPN_kit_ais.yaml."""

from detectron2.config import LazyCall as L
from detectron2.data.transforms import RandomCrop

from .._base_.coco_data import dataloader
from .._base_.fcos_R18_FPN import model
from .._base_.fcos_sgd import optimizer
from .._base_.sgd import multi_step
from .._base_.train import train

model.num_classes = 1
crop = L(RandomCrop)(crop_type="absolute", crop_size=[192, 192])
dataloader.train.mapper.augmentations.insert(0, crop)
dataloader.train.dataset.names = "kit_ais_half_train"
dataloader.test.dataset.names = "kit_ais_half_val"
optimizer.lr = 0.01
optimizer.params.bias_lr_factor = 1.0
optimizer.params.weight_decay_bias = None
# 1200 steps x 4 crops = 4800 crops, 107 of each of the 45 images
train.max_iter = 1200
lr_multiplier = multi_step(max_iter=1200, steps=[800, 1100], warmup=100)
train.seed = 7
del crop
train.output_dir = "./output/set_fcos_R18_FPN_kit_ais"
