"""Backbones with HS-FPN by name, for MODEL.BACKBONE.NAME.

What stands below the neck is found by its own name in the registry, so that this system knows of
no other.
"""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import LastLevelMaxPool

from d2freq.modeling.backbones.last_levels import LastLevelP6, levels_above
from d2freq.modeling.hs_fpn.neck import HSFPN

__all__ = [
    "LastLevelP6",  # which lazy configs that were saved name here
    "build_mobilenetv2_dct_hsfpn_backbone",
    "build_mobilenetv2_hsfpn_backbone",
    "build_resnet_dct_hsfpn_backbone",
    "build_resnet_hsfpn_backbone",
    "build_retinanet_resnet_dct_hsfpn_backbone",
    "build_retinanet_resnet_hsfpn_backbone",
]


@BACKBONE_REGISTRY.register()
def build_resnet_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet with HS-FPN, P2 to P6 by default: P6 is P5 subsampled.

    Takes MODEL.RESNETS, MODEL.FPN and MODEL.HSFPN, as ``build_resnet_fpn_backbone`` the first two.
    """
    return _pooled(cfg, input_shape, "build_d2freq_resnet_backbone")


@BACKBONE_REGISTRY.register()
def build_mobilenetv2_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """MobileNetV2 likewise, by MODEL.MOBILENETV2 in the place of MODEL.RESNETS."""
    return _pooled(cfg, input_shape, "build_mobilenetv2_backbone")


@BACKBONE_REGISTRY.register()
def build_resnet_dct_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet on frequencies likewise; takes MODEL.FREQ_INPUT too."""
    return _pooled(cfg, input_shape, "build_resnet_dct_backbone")


@BACKBONE_REGISTRY.register()
def build_mobilenetv2_dct_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """MobileNetV2 on frequencies likewise; takes MODEL.MOBILENETV2 and MODEL.FREQ_INPUT."""
    return _pooled(cfg, input_shape, "build_mobilenetv2_dct_backbone")


@BACKBONE_REGISTRY.register()
def build_retinanet_resnet_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet with HS-FPN and five levels for one-stage detectors, the upper ones convolutions.

    MODEL.FPN.IN_FEATURES chooses: res3 to res5 give P3 to P7, res2 to res5 give P2 to P6, the
    levels that the paper's RetinaNet takes (Table 3).

    Raises:
        UserError: another number of IN_FEATURES.
    """
    return _convolved(cfg, input_shape, "build_d2freq_resnet_backbone")


@BACKBONE_REGISTRY.register()
def build_retinanet_resnet_dct_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet on frequencies likewise; takes MODEL.FREQ_INPUT too."""
    return _convolved(cfg, input_shape, "build_resnet_dct_backbone")


def _pooled(cfg: CfgNode, input_shape: ShapeSpec, bottom_up: str) -> HSFPN:
    """HS-FPN on the backbone of that name, and a level more by pooling."""
    below = BACKBONE_REGISTRY.get(bottom_up)(cfg, input_shape)
    return HSFPN(cfg, bottom_up=below, top_block=LastLevelMaxPool())


def _convolved(cfg: CfgNode, input_shape: ShapeSpec, bottom_up: str) -> HSFPN:
    """The same with five levels in all."""
    below = BACKBONE_REGISTRY.get(bottom_up)(cfg, input_shape)
    sources = cfg.MODEL.FPN.IN_FEATURES
    last = sources[-1]
    channels = below.output_shape()[last].channels
    top_block = levels_above(cfg, sources, in_channels=channels, in_feature=last)
    return HSFPN(cfg, bottom_up=below, top_block=top_block)
