"""Lazy twin of fcos_R50_FPN_coco.yaml."""

from .._base_.coco import dataloader, train
from .._base_.fcos_R50_FPN import model
from .._base_.fcos_sgd import constant_warmup, optimizer

model.num_classes = 80
model.test_topk_candidates = 1000
model.max_detections_per_image = 100
lr_multiplier = constant_warmup(max_iter=709722, steps=[473148, 650578])
train.output_dir = "./output/set_fcos_R50_FPN_coco"
