"""Lazy twin of fcos_R18_FPN_scenes.yaml."""

from detectron2.config import LazyCall as L
from detectron2.data.transforms import RandomCrop

from .._base_.coco_data import dataloader
from .._base_.fcos_R18_FPN import model
from .._base_.fcos_sgd import optimizer
from .._base_.sgd import multi_step
from .._base_.train import train

model.num_classes = 5
crop = L(RandomCrop)(crop_type="absolute", crop_size=[192, 192])
dataloader.train.mapper.augmentations.insert(0, crop)
optimizer.lr = 0.01
optimizer.params.bias_lr_factor = 1.0
optimizer.params.weight_decay_bias = None
train.max_iter = 600
train.eval_period = 200
lr_multiplier = multi_step(max_iter=600, steps=[420, 550], warmup=60)
train.seed = 7
del crop
train.output_dir = "./output/set_fcos_R18_FPN_scenes"
