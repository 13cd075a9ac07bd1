"""Backbones with WaveletFPN by name, for MODEL.BACKBONE.NAME."""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY

from d2freq.modeling.backbones.neck_builders import with_convolved_levels, with_pooled_level
from d2freq.modeling.registration import register
from d2freq.modeling.wavelet_fpn.neck import WaveletFPN

__all__ = [
    "build_mobilenetv2_waveletfpn_backbone",
    "build_resnet_waveletfpn_backbone",
    "build_retinanet_resnet_waveletfpn_backbone",
]

RESNET = "build_d2freq_resnet_backbone"


@register(BACKBONE_REGISTRY)
def build_resnet_waveletfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> WaveletFPN:
    """ResNet with WaveletFPN, P2 to P6 by default: P6 is P5 subsampled.

    Takes MODEL.RESNETS, MODEL.FPN and MODEL.WAVELETFPN.
    """
    return with_pooled_level(WaveletFPN, cfg, input_shape, bottom_up=RESNET)


@register(BACKBONE_REGISTRY)
def build_mobilenetv2_waveletfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> WaveletFPN:
    """MobileNetV2 likewise, by MODEL.MOBILENETV2 in the place of MODEL.RESNETS."""
    return with_pooled_level(WaveletFPN, cfg, input_shape, bottom_up="build_mobilenetv2_backbone")


@register(BACKBONE_REGISTRY)
def build_retinanet_resnet_waveletfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> WaveletFPN:
    """ResNet with WaveletFPN and five levels for one-stage detectors, the upper ones convolutions.

    MODEL.FPN.IN_FEATURES chooses: res3 to res5 give P3 to P7, res2 to res5 give P2 to P6.

    Raises:
        UserError: another number of IN_FEATURES.
    """
    return with_convolved_levels(WaveletFPN, cfg, input_shape, bottom_up=RESNET)
