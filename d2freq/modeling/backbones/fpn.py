"""The host's FPN with a choice of how it starts, and its builders by name.

The builders are the host's, which know neither MODEL.FPN.LATERAL_INIT nor the norm FrozenStatsBN,
with both.
"""

from collections.abc import Sequence
from typing import Any

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY, Backbone
from detectron2.modeling.backbone import FPN as PlainFPN
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from torch import nn

from d2freq.modeling.backbones.last_levels import levels_above
from d2freq.modeling.backbones.resnet import build_d2freq_resnet_backbone
from d2freq.modeling.registration import register
from d2freq.utils.choices import choice
from d2freq.utils.own_keys import own_keys

__all__ = [
    "FPN",
    "build_d2freq_resnet_fpn_backbone",
    "build_d2freq_retinanet_resnet_fpn_backbone",
    "fpn_arguments",
    "fpn_from_config",
    "fpn_keys",
]

LATERAL_INITS = ("c2", "xavier")


class FPN(PlainFPN):
    """Detectron2's FPN, whose lateral convolutions may start as in published baselines.

    Args:
        lateral_init: "c2", the host's, draws weights from +- sqrt(3 / fan in); "xavier" from
            +- sqrt(6 / (fan in + fan out)), which differs where a convolution changes the number
            of channels: the laterals, and convolutions of the top block on the backbone.
        (others): see :class:`detectron2.modeling.backbone.FPN`.

    Raises:
        UserError: ``lateral_init`` is neither.
    """

    def __init__(
        self,
        bottom_up: Backbone,
        in_features: Sequence[str],
        out_channels: int,
        norm: str = "",
        top_block: nn.Module | None = None,
        fuse_type: str = "sum",
        square_pad: int = 0,
        *,
        lateral_init: str = "c2",
    ) -> None:
        super().__init__(
            bottom_up=bottom_up,
            in_features=in_features,
            out_channels=out_channels,
            norm=norm,
            top_block=top_block,
            fuse_type=fuse_type,
            square_pad=square_pad,
        )
        choice(lateral_init, LATERAL_INITS, key="lateral_init (MODEL.FPN.LATERAL_INIT)")
        if lateral_init == "xavier":
            upper = [] if top_block is None else list(top_block.modules())
            for module in [*self.lateral_convs, *upper]:
                if isinstance(module, nn.Conv2d):
                    nn.init.xavier_uniform_(module.weight)


def fpn_keys() -> CfgNode:
    """What d2freq adds to Detectron2's MODEL.FPN; without effect in Detectron2's own builders."""
    node = CfgNode()
    # "c2" | "xavier": how lateral convolutions start, of FPN and HS-FPN alike. "c2", Detectron2's,
    # looks at the channels that come in; "xavier", of the published baselines, at those that leave
    # as well: at P5 of a ResNet-50 within +- 0.0383 and +- 0.0510.
    node.LATERAL_INIT = "c2"
    return node


def fpn_arguments(cfg: CfgNode, bottom_up: Backbone, top_block: nn.Module | None) -> dict[str, Any]:
    """What MODEL.FPN says, for FPN and for the ``from_config`` of its subclasses."""
    return {
        "bottom_up": bottom_up,
        "in_features": cfg.MODEL.FPN.IN_FEATURES,
        "out_channels": cfg.MODEL.FPN.OUT_CHANNELS,
        "norm": cfg.MODEL.FPN.NORM,
        "top_block": top_block,
        "fuse_type": cfg.MODEL.FPN.FUSE_TYPE,
        "lateral_init": own_keys(cfg, "MODEL.FPN", fpn_keys(), shared=True).LATERAL_INIT,
    }


def fpn_from_config(cfg: CfgNode, bottom_up: Backbone, top_block: nn.Module | None) -> FPN:
    """FPN from MODEL.FPN on a backbone."""
    return FPN(**fpn_arguments(cfg, bottom_up, top_block))


@register(BACKBONE_REGISTRY)
def build_d2freq_resnet_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """ResNet with FPN, and a level more by pooling: P2 to P6 of res2 to res5."""
    bottom_up = build_d2freq_resnet_backbone(cfg, input_shape)
    return fpn_from_config(cfg, bottom_up, LastLevelMaxPool())


@register(BACKBONE_REGISTRY)
def build_d2freq_retinanet_resnet_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """ResNet with FPN and five levels, the upper ones by convolutions on C5, as mmdet's RetinaNet.

    MODEL.FPN.IN_FEATURES chooses: res3 to res5 give P3 to P7, without a ReLU between P6 and P7;
    res2 to res5 give P2 to P6.

    Raises:
        UserError: another number of IN_FEATURES.
    """
    bottom_up = build_d2freq_resnet_backbone(cfg, input_shape)
    sources = cfg.MODEL.FPN.IN_FEATURES
    last = sources[-1]
    channels = bottom_up.output_shape()[last].channels
    top_block = levels_above(cfg, sources, in_channels=channels, in_feature=last, relu=False)
    return fpn_from_config(cfg, bottom_up, top_block)
