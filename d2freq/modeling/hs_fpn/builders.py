"""Backbones with HS-FPN by name, for MODEL.BACKBONE.NAME.

What stands below the neck is found by its own name in the registry, so that this system knows of
no other.

Shape shorthand: B images, C channels of the neck, H x W of a map.
"""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import LastLevelMaxPool, LastLevelP6P7
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.hs_fpn.layers import initialize
from d2freq.modeling.hs_fpn.neck import HSFPN

__all__ = [
    "LastLevelP6",
    "build_mobilenetv2_dct_hsfpn_backbone",
    "build_mobilenetv2_hsfpn_backbone",
    "build_resnet_dct_hsfpn_backbone",
    "build_resnet_hsfpn_backbone",
    "build_retinanet_resnet_dct_hsfpn_backbone",
    "build_retinanet_resnet_hsfpn_backbone",
]


class LastLevelP6(nn.Module):
    """One level more, P6, by a 3x3 convolution of stride 2 on a map of the backbone.

    With P2 to P5 below it this is the P2 to P6 of the paper's RetinaNet.
    """

    def __init__(self, in_channels: int, out_channels: int, in_feature: str = "res5") -> None:
        super().__init__()
        self.num_levels = 1
        self.in_feature = in_feature
        self.p6 = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        initialize(self.p6)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C_in, H, W) -> [(B, C, ceil(H/2), ceil(W/2))]."""
        return [self.p6(x)]


@BACKBONE_REGISTRY.register()
def build_resnet_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet with HS-FPN, P2 to P6 by default: P6 is P5 subsampled.

    Takes MODEL.RESNETS, MODEL.FPN and MODEL.HSFPN, as ``build_resnet_fpn_backbone`` the first two.
    """
    return _pooled(cfg, input_shape, "build_resnet_backbone")


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
    return _convolved(cfg, input_shape, "build_resnet_backbone")


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
    blocks = {3: LastLevelP6P7, 4: LastLevelP6}
    if len(sources) not in blocks:
        raise UserError(
            f"{cfg.MODEL.BACKBONE.NAME} makes five levels of three or four maps; "
            f"MODEL.FPN.IN_FEATURES has {len(sources)}: {list(sources)}"
        )
    top_block = blocks[len(sources)](
        below.output_shape()[sources[-1]].channels,
        cfg.MODEL.FPN.OUT_CHANNELS,
        in_feature=sources[-1],
    )
    return HSFPN(cfg, bottom_up=below, top_block=top_block)
