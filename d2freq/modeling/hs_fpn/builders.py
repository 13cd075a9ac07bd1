"""Backbones with HS-FPN by name, for MODEL.BACKBONE.NAME.

Shape shorthand: B images, C channels of the neck, H x W of a map.
"""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY, build_resnet_backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool, LastLevelP6P7
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.hs_fpn.layers import initialize
from d2freq.modeling.hs_fpn.neck import HSFPN

__all__ = [
    "LastLevelP6",
    "build_resnet_hsfpn_backbone",
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
    bottom_up = build_resnet_backbone(cfg, input_shape)
    return HSFPN(cfg, bottom_up=bottom_up, top_block=LastLevelMaxPool())


@BACKBONE_REGISTRY.register()
def build_retinanet_resnet_hsfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HSFPN:
    """ResNet with HS-FPN and five levels for one-stage detectors, the upper ones convolutions.

    MODEL.FPN.IN_FEATURES chooses: res3 to res5 give P3 to P7, res2 to res5 give P2 to P6, the
    levels that the paper's RetinaNet takes (Table 3).
    """
    bottom_up = build_resnet_backbone(cfg, input_shape)
    sources = cfg.MODEL.FPN.IN_FEATURES
    blocks = {3: LastLevelP6P7, 4: LastLevelP6}
    if len(sources) not in blocks:
        raise UserError(
            "build_retinanet_resnet_hsfpn_backbone makes five levels of three or four maps; "
            f"MODEL.FPN.IN_FEATURES has {len(sources)}: {list(sources)}"
        )
    top_block = blocks[len(sources)](
        bottom_up.output_shape()[sources[-1]].channels,
        cfg.MODEL.FPN.OUT_CHANNELS,
        in_feature=sources[-1],
    )
    return HSFPN(cfg, bottom_up=bottom_up, top_block=top_block)
