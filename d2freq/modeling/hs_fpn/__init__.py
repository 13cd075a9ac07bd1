"""HS-FPN: high frequency and spatial perception feature pyramid network (AAAI 2025)."""

from d2freq.modeling.hs_fpn.builders import (
    LastLevelP6,
    build_mobilenetv2_dct_hsfpn_backbone,
    build_mobilenetv2_hsfpn_backbone,
    build_resnet_dct_hsfpn_backbone,
    build_resnet_hsfpn_backbone,
    build_resnet_sac_hsfpn_backbone,
    build_retinanet_resnet_dct_hsfpn_backbone,
    build_retinanet_resnet_hsfpn_backbone,
)
from d2freq.modeling.hs_fpn.high_frequency import (
    ChannelPath,
    HighFrequencyPerception,
    SpatialPath,
)
from d2freq.modeling.hs_fpn.neck import HSFPN
from d2freq.modeling.hs_fpn.spatial_dependency import SpatialDependencyPerception
from d2freq.modeling.hs_fpn.switches import PRESETS, Switches, resolve_switches

__all__ = [
    "HSFPN",
    "PRESETS",
    "ChannelPath",
    "HighFrequencyPerception",
    "LastLevelP6",
    "SpatialDependencyPerception",
    "SpatialPath",
    "Switches",
    "build_mobilenetv2_dct_hsfpn_backbone",
    "build_mobilenetv2_hsfpn_backbone",
    "build_resnet_dct_hsfpn_backbone",
    "build_resnet_hsfpn_backbone",
    "build_resnet_sac_hsfpn_backbone",
    "build_retinanet_resnet_dct_hsfpn_backbone",
    "build_retinanet_resnet_hsfpn_backbone",
    "resolve_switches",
]
