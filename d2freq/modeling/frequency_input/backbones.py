"""ResNets without their first layers, fed with frequencies, by name for MODEL.BACKBONE.NAME."""

import logging

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY, FPN, ResNet
from detectron2.modeling.backbone.fpn import LastLevelMaxPool

from d2freq.errors import UserError
from d2freq.modeling.frequency_input.build_stem import build_stem
from d2freq.modeling.frequency_input.stages import make_stages

logger = logging.getLogger(__name__)

__all__ = ["build_resnet_dct_backbone", "build_resnet_dct_fpn_backbone"]

FIRST = {4: "res2", 8: "res3"}  # the stage that takes channels of a stride


@BACKBONE_REGISTRY.register()
def build_resnet_dct_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> ResNet:
    """ResNet of any depth behind the stem of MODEL.FREQ_INPUT.

    Takes MODEL.RESNETS, without STEM_OUT_CHANNELS. MODEL.BACKBONE.FREEZE_AT fixes stages as it does
    behind an RGB stem, apart from layers that no RGB network has.

    Raises:
        UserError: a wrong key, or an output of the stage that is left out.
    """
    keys = cfg.MODEL.RESNETS
    stem = build_stem(cfg, input_shape)
    if stem.stride not in FIRST:
        raise UserError(
            f"MODEL.FREQ_INPUT.MODE {cfg.MODEL.FREQ_INPUT.MODE!r} gives channels of stride "
            f"{stem.stride}, which no stage of a ResNet takes; x2 or 4x4 enter at res2, 8x8 at res3"
        )
    first = FIRST[stem.stride]
    if first == "res3" and "res2" in keys.OUT_FEATURES:
        raise UserError(
            "MODEL.RESNETS.OUT_FEATURES asks for res2, but channels of stride 8 enter at res3: "
            "leave it out, and out of MODEL.FPN.IN_FEATURES, or set MODEL.FREQ_INPUT.ENTRY shuffle"
        )
    if any(keys.DEFORM_ON_PER_STAGE):
        raise UserError("MODEL.RESNETS.DEFORM_ON_PER_STAGE: no deformable blocks behind a DCT stem")
    stages = make_stages(
        keys.DEPTH,
        stem.out_channels,
        first=first,
        is_new=not stem.makes_features,
        norm=keys.NORM,
        stride_in_1x1=keys.STRIDE_IN_1X1,
        num_groups=keys.NUM_GROUPS,
        width_per_group=keys.WIDTH_PER_GROUP,
        res2_out_channels=keys.RES2_OUT_CHANNELS,
        res5_dilation=keys.RES5_DILATION,
    )
    freeze_at = cfg.MODEL.BACKBONE.FREEZE_AT
    if freeze_at:
        kept = "the stem's" if stem.makes_features else f"{first}.0.conv1 and .shortcut"
        logger.info("MODEL.BACKBONE.FREEZE_AT %d: new layers go on learning: %s", freeze_at, kept)
    return ResNet(stem, stages, out_features=list(keys.OUT_FEATURES), freeze_at=freeze_at)


@BACKBONE_REGISTRY.register()
def build_resnet_dct_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """The same with FPN, and a level more by pooling; takes MODEL.FPN too."""
    return FPN(
        bottom_up=build_resnet_dct_backbone(cfg, input_shape),
        in_features=cfg.MODEL.FPN.IN_FEATURES,
        out_channels=cfg.MODEL.FPN.OUT_CHANNELS,
        norm=cfg.MODEL.FPN.NORM,
        top_block=LastLevelMaxPool(),
        fuse_type=cfg.MODEL.FPN.FUSE_TYPE,
    )
