"""Lazy twin of faster_rcnn_R50_FPN_scenes.yaml."""

from .._base_.coco_data import dataloader, with_resize
from .._base_.faster_rcnn_R50_FPN import model
from .._base_.published import with_published
from .._base_.sgd import multi_step, optimizer
from .._base_.train import train

model = with_published(model)
model.roi_heads.num_classes = 5
dataloader = with_resize(dataloader, max_size=800)
dataloader.train.total_batch_size = 2
# 12 epochs x 160 images / 2 a batch = 960
train.max_iter = 960
lr_multiplier = multi_step(max_iter=960, steps=[640, 880], warmup=100)
train.output_dir = "./output/faster_rcnn_R50_FPN_scenes"
