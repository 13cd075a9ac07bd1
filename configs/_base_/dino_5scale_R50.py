"""Lazy twin of dino_5scale_R50.yaml: DINO with the channel mapper on ResNet-50."""

from detectron2.config import LazyCall as L

from d2freq.modeling.detectors.dino import DINO, ChannelMapper

from .faster_rcnn_R50_FPN import model as two_stage

model = L(DINO)(
    backbone=L(ChannelMapper)(
        bottom_up=two_stage.backbone.bottom_up,
        in_features=["res2", "res3", "res4", "res5"],
        out_channels=256,
        bias=False,  # of layout mmdet
    ),
    in_features=["p2", "p3", "p4", "p5", "p6"],
    num_classes=80,
    layout="mmdet",
    num_queries=900,
    num_select=1500,
    use_act_checkpoint=True,
    query_chunk=8192,
    pixel_mean=two_stage.pixel_mean,
    pixel_std=two_stage.pixel_std,
    input_format=two_stage.input_format,
)
del two_stage
