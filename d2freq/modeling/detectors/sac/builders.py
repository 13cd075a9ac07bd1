"""Backbones with switchable convolutions by name, for MODEL.BACKBONE.NAME."""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import LastLevelMaxPool

from d2freq.modeling.backbones.fpn import FPN, fpn_from_config
from d2freq.modeling.backbones.resnet import build_d2freq_resnet_backbone
from d2freq.modeling.detectors.sac.config import detectors_keys
from d2freq.modeling.detectors.sac.resnet import SACResNet
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys

__all__ = ["build_resnet_sac_backbone", "build_resnet_sac_fpn_backbone"]

STAGES = 4  # of MODEL.RESNETS, res2 to res5


@register(BACKBONE_REGISTRY)
def build_resnet_sac_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> SACResNet:
    """ResNet with SAC and weight standardisation; takes MODEL.RESNETS and MODEL.DETECTORS."""
    keys = own_keys(cfg, "MODEL.DETECTORS", detectors_keys())
    learning = cfg.clone()
    learning.defrost()
    learning.MODEL.BACKBONE.FREEZE_AT = 0  # layers are exchanged first
    plain = build_d2freq_resnet_backbone(learning, input_shape)
    flags = list(keys.SAC_ON_PER_STAGE)
    if len(flags) == STAGES:
        flags = flags[: len(plain.stages)]  # stages behind the last feature are not built
    return SACResNet(
        plain.stem,
        [list(stage.children()) for stage in plain.stages],
        out_features=cfg.MODEL.RESNETS.OUT_FEATURES,
        freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT,
        sac_on_per_stage=flags,
        deform=keys.DEFORM,
        weight_standardization=keys.WEIGHT_STANDARDIZATION,
    )


@register(BACKBONE_REGISTRY)
def build_resnet_sac_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """The same with FPN, and a level more by pooling: P2 to P6 of res2 to res5."""
    return fpn_from_config(cfg, build_resnet_sac_backbone(cfg, input_shape), LastLevelMaxPool())
