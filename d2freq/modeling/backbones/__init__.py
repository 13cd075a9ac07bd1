"""Backbones beside the host's own."""

from d2freq.modeling.backbones.last_levels import LastLevelP6
from d2freq.modeling.backbones.mobilenet_v2 import (
    MobileNetV2,
    build_mobilenetv2_backbone,
    build_mobilenetv2_fpn_backbone,
)

__all__ = [
    "LastLevelP6",
    "MobileNetV2",
    "build_mobilenetv2_backbone",
    "build_mobilenetv2_fpn_backbone",
]
