"""DINO, the transformer with denoising queries, in pure torch (Zhang et al., ICLR 2023)."""

from d2freq.modeling.detectors.dino.channel_mapper import (
    ChannelMapper,
    build_mobilenetv2_channel_mapper_backbone,
    build_resnet_channel_mapper_backbone,
)
from d2freq.modeling.detectors.dino.deformable_attention import (
    DeformableAttention,
    attend_to_points,
)
from d2freq.modeling.detectors.dino.layouts import LAYOUTS, Layout, resolve_layout
from d2freq.modeling.detectors.dino.losses import Weights
from d2freq.modeling.detectors.dino.matching import Costs
from d2freq.modeling.detectors.dino.meta_arch import DINO
from d2freq.modeling.detectors.dino.outputs import Outputs, Predictions

__all__ = [
    "DINO",
    "LAYOUTS",
    "ChannelMapper",
    "Costs",
    "DeformableAttention",
    "Layout",
    "Outputs",
    "Predictions",
    "Weights",
    "attend_to_points",
    "build_mobilenetv2_channel_mapper_backbone",
    "build_resnet_channel_mapper_backbone",
    "resolve_layout",
]
