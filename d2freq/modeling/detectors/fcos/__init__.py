"""FCOS with keys for YAML configs, and its backbone."""

from d2freq.modeling.detectors.fcos.builders import build_fcos_resnet_fpn_backbone
from d2freq.modeling.detectors.fcos.meta_arch import FCOS

__all__ = ["FCOS", "build_fcos_resnet_fpn_backbone"]
