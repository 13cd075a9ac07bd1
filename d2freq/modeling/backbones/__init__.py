"""Backbones beside the host's own."""

from d2freq.modeling.backbones.fpn import (
    FPN,
    build_d2freq_resnet_fpn_backbone,
    build_d2freq_retinanet_resnet_fpn_backbone,
)
from d2freq.modeling.backbones.frozen_stats_norm import FrozenStatsBatchNorm2d, norm_layer
from d2freq.modeling.backbones.last_levels import LastLevelP6, LinearLastLevelP6P7
from d2freq.modeling.backbones.mobilenet_v2 import (
    MobileNetV2,
    build_mobilenetv2_backbone,
    build_mobilenetv2_fpn_backbone,
)
from d2freq.modeling.backbones.resnet import build_d2freq_resnet_backbone

__all__ = [
    "FPN",
    "LastLevelP6",
    "LinearLastLevelP6P7",
    "FrozenStatsBatchNorm2d",
    "MobileNetV2",
    "build_d2freq_resnet_backbone",
    "build_d2freq_resnet_fpn_backbone",
    "build_d2freq_retinanet_resnet_fpn_backbone",
    "build_mobilenetv2_backbone",
    "build_mobilenetv2_fpn_backbone",
    "norm_layer",
]
