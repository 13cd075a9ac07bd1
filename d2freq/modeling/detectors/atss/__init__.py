"""ATSS (Zhang et al., CVPR 2020): an object's own statistics decide which anchors are its own."""

from d2freq.modeling.detectors.atss.assignment import assign_adaptively
from d2freq.modeling.detectors.atss.builders import build_atss_resnet_fpn_backbone
from d2freq.modeling.detectors.atss.meta_arch import ATSS

__all__ = ["ATSS", "assign_adaptively", "build_atss_resnet_fpn_backbone"]
