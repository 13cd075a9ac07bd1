"""The registry of backbones, and the builder that reads MODEL.BACKBONE.NAME."""

from fvcore.common.registry import Registry

from ...config import CfgNode
from ...layers import ShapeSpec
from .backbone import Backbone

BACKBONE_REGISTRY = Registry("BACKBONE")
"""Builders of backbones: each is called as ``builder(cfg, input_shape)`` with a ``ShapeSpec`` and
returns a ``Backbone``."""


def build_backbone(cfg: CfgNode, input_shape: ShapeSpec | None = None) -> Backbone:
    """Build the backbone that ``cfg.MODEL.BACKBONE.NAME`` names.

    ``input_shape`` tells the channels of the image; as many as MODEL.PIXEL_MEAN has if None.

    Raises:
        KeyError: if no such builder is registered.
        TypeError: if the builder returns something else than a ``Backbone``.
    """
    if input_shape is None:
        input_shape = ShapeSpec(channels=len(cfg.MODEL.PIXEL_MEAN))
    name = cfg.MODEL.BACKBONE.NAME
    backbone = BACKBONE_REGISTRY.get(name)(cfg, input_shape)
    if not isinstance(backbone, Backbone):
        raise TypeError(f"{name} has to return a Backbone, but gave {type(backbone).__name__}")
    return backbone
