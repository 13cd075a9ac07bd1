"""SAC, the switchable atrous convolution of DetectoRS, and its ResNets."""

from d2freq.modeling.detectors.sac.builders import (
    build_resnet_sac_backbone,
    build_resnet_sac_fpn_backbone,
)
from d2freq.modeling.detectors.sac.resnet import SACResNet
from d2freq.modeling.detectors.sac.switchable_conv import SwitchableConv2d
from d2freq.modeling.detectors.sac.weight_standardization import StandardizedConv2d

__all__ = [
    "SACResNet",
    "StandardizedConv2d",
    "SwitchableConv2d",
    "build_resnet_sac_backbone",
    "build_resnet_sac_fpn_backbone",
]
