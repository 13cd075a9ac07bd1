"""Backbones with HS-FPN by name, for MODEL.BACKBONE.NAME.

What stands below the neck is found by its own name in the registry, so that this system knows of
no other.
"""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY

from d2freq.modeling.backbones.last_levels import LastLevelP6
from d2freq.modeling.backbones.neck_builders import with_convolved_levels, with_pooled_level
from d2freq.modeling.hs_fpn.neck import HSFPN
from d2freq.modeling.registration import register

__all__ = [
    "LastLevelP6",  # which lazy configs that were saved name here
    "build_mobilenetv2_dct_hsfpn_backbone",
    "build_mobilenetv2_hsfpn_backbone",
    "build_resnet_dct_hsfpn_backbone",
    "build_resnet_hsfpn_backbone",
    "build_resnet_sac_hsfpn_backbone",
    "build_retinanet_resnet_dct_hsfpn_backbone",
    "build_retinanet_resnet_hsfpn_backbone",
]


@register(BACKBONE_REGISTRY)
def build_resnet_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet with HS-FPN, P2 to P6 by default: P6 is P5 subsampled.

    Takes MODEL.RESNETS, MODEL.FPN and MODEL.HSFPN, as ``build_resnet_fpn_backbone`` the first two.
    """
    return with_pooled_level(HSFPN, cfg, input_shape, bottom_up="build_d2freq_resnet_backbone")


@register(BACKBONE_REGISTRY)
def build_resnet_sac_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet with DetectoRS's switchable convolutions likewise; takes MODEL.DETECTORS too."""
    return with_pooled_level(HSFPN, cfg, input_shape, bottom_up="build_resnet_sac_backbone")


@register(BACKBONE_REGISTRY)
def build_mobilenetv2_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """MobileNetV2 likewise, by MODEL.MOBILENETV2 in the place of MODEL.RESNETS."""
    return with_pooled_level(HSFPN, cfg, input_shape, bottom_up="build_mobilenetv2_backbone")


@register(BACKBONE_REGISTRY)
def build_resnet_dct_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet on frequencies likewise; takes MODEL.FREQ_INPUT too."""
    return with_pooled_level(HSFPN, cfg, input_shape, bottom_up="build_resnet_dct_backbone")


@register(BACKBONE_REGISTRY)
def build_mobilenetv2_dct_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """MobileNetV2 on frequencies likewise; takes MODEL.MOBILENETV2 and MODEL.FREQ_INPUT."""
    return with_pooled_level(HSFPN, cfg, input_shape, bottom_up="build_mobilenetv2_dct_backbone")


@register(BACKBONE_REGISTRY)
def build_retinanet_resnet_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet with HS-FPN and five levels for one-stage detectors, the upper ones convolutions.

    MODEL.FPN.IN_FEATURES chooses: res3 to res5 give P3 to P7, res2 to res5 give P2 to P6, the
    levels that the paper's RetinaNet takes (Table 3).

    Raises:
        UserError: another number of IN_FEATURES.
    """
    return with_convolved_levels(HSFPN, cfg, input_shape, bottom_up="build_d2freq_resnet_backbone")


@register(BACKBONE_REGISTRY)
def build_retinanet_resnet_dct_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet on frequencies likewise; takes MODEL.FREQ_INPUT too."""
    return with_convolved_levels(HSFPN, cfg, input_shape, bottom_up="build_resnet_dct_backbone")
