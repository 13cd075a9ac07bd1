"""Backbone of FCOS by name, for MODEL.BACKBONE.NAME."""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY

from d2freq.modeling.backbones.fpn import FPN, fpn_from_config
from d2freq.modeling.backbones.last_levels import levels_above
from d2freq.modeling.backbones.resnet import build_d2freq_resnet_backbone
from d2freq.modeling.registration import register

__all__ = ["build_fcos_resnet_fpn_backbone"]


@register(BACKBONE_REGISTRY)
def build_fcos_resnet_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """ResNet with FPN and five levels, the upper ones by 3x3 convolutions of stride 2 from P5.

    MODEL.FPN.IN_FEATURES chooses: res3 to res5 give P3 to P7 (ReLU between P6 and P7), res2 to
    res5 give P2 to P6. ``build_d2freq_retinanet_resnet_fpn_backbone`` takes its P6 from C5 instead.

    Raises:
        UserError: for another number of maps.
    """
    bottom_up = build_d2freq_resnet_backbone(cfg, input_shape)
    channels = cfg.MODEL.FPN.OUT_CHANNELS
    top_block = levels_above(cfg, cfg.MODEL.FPN.IN_FEATURES, in_channels=channels, in_feature="p5")
    return fpn_from_config(cfg, bottom_up, top_block)
