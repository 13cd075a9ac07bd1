"""Backbones beside the host's own."""

from d2freq.modeling.backbones.frozen_stats_norm import FrozenStatsBatchNorm2d, norm_layer
from d2freq.modeling.backbones.last_levels import LastLevelP6
from d2freq.modeling.backbones.mobilenet_v2 import (
    MobileNetV2,
    build_mobilenetv2_backbone,
    build_mobilenetv2_fpn_backbone,
)
from d2freq.modeling.backbones.resnet import build_d2freq_resnet_backbone

__all__ = [
    "LastLevelP6",
    "FrozenStatsBatchNorm2d",
    "MobileNetV2",
    "build_d2freq_resnet_backbone",
    "build_mobilenetv2_backbone",
    "build_mobilenetv2_fpn_backbone",
    "norm_layer",
]
