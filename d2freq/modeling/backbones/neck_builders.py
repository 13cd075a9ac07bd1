"""Backbones with a neck of another kind than FPN, for builders by name.

What stands below the neck is found by its name in the registry, so that a system with a neck knows
of no other system.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import LastLevelMaxPool

from d2freq.modeling.backbones.last_levels import levels_above
from d2freq.modeling.registration import own_name

__all__ = ["with_convolved_levels", "with_pooled_level"]

N = TypeVar("N")


def with_pooled_level(
    neck: Callable[..., N], cfg: CfgNode, input_shape: ShapeSpec, *, bottom_up: str
) -> N:
    """The neck on the backbone of that name, and a level more by pooling: P2 to P6 by default."""
    below: Any = BACKBONE_REGISTRY.get(own_name(bottom_up))(cfg, input_shape)
    return neck(cfg, bottom_up=below, top_block=LastLevelMaxPool())


def with_convolved_levels(
    neck: Callable[..., N], cfg: CfgNode, input_shape: ShapeSpec, *, bottom_up: str
) -> N:
    """The same with five levels in all, the upper ones convolutions of the backbone's last map.

    Raises:
        UserError: MODEL.FPN.IN_FEATURES names neither three nor four maps.
    """
    below: Any = BACKBONE_REGISTRY.get(own_name(bottom_up))(cfg, input_shape)
    sources = cfg.MODEL.FPN.IN_FEATURES
    last = sources[-1]
    channels = below.output_shape()[last].channels
    top_block = levels_above(cfg, sources, in_channels=channels, in_feature=last)
    return neck(cfg, bottom_up=below, top_block=top_block)
