"""Lazy twin of faster_rcnn_R50_FPN_scenes.yaml."""

from detectron2.config import LazyCall as L
from detectron2.data.transforms import ResizeShortestEdge

from .._base_.coco_data import dataloader
from .._base_.faster_rcnn_R50_FPN import model
from .._base_.sgd import multi_step, optimizer
from .._base_.train import train

model.roi_heads.num_classes = 5
resize = L(ResizeShortestEdge)(short_edge_length=[800], max_size=800, sample_style="choice")
dataloader.train.mapper.augmentations.insert(0, resize)
dataloader.test.mapper.augmentations.insert(0, resize)
dataloader.train.total_batch_size = 2
# 12 epochs x 160 images / 2 a batch = 960
train.max_iter = 960
lr_multiplier = multi_step(max_iter=960, steps=[640, 880], warmup=100)
train.output_dir = "./output/faster_rcnn_R50_FPN_scenes"
del resize
