"""Backbone of ATSS and PAA by name, for MODEL.BACKBONE.NAME."""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY

from d2freq.modeling.backbones.fpn import FPN, fpn_from_config
from d2freq.modeling.backbones.last_levels import levels_above
from d2freq.modeling.backbones.resnet import build_d2freq_resnet_backbone
from d2freq.modeling.registration import register

__all__ = ["build_atss_resnet_fpn_backbone"]


@register(BACKBONE_REGISTRY)
def build_atss_resnet_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """``build_fcos_resnet_fpn_backbone`` without the ReLU between P6 and P7, as published.

    Raises:
        UserError: MODEL.FPN.IN_FEATURES names neither three nor four maps.
    """
    bottom_up = build_d2freq_resnet_backbone(cfg, input_shape)
    channels = cfg.MODEL.FPN.OUT_CHANNELS
    sources = cfg.MODEL.FPN.IN_FEATURES
    top_block = levels_above(cfg, sources, in_channels=channels, in_feature="p5", relu=False)
    return fpn_from_config(cfg, bottom_up, top_block)
