"""ResNets without their first layers, fed with frequencies, by name for MODEL.BACKBONE.NAME."""

import logging
from typing import Any

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY, ResNet
from detectron2.modeling.backbone.fpn import LastLevelMaxPool, LastLevelP6P7
from torch import nn

from d2freq.errors import UserError
from d2freq.modeling.backbones.fpn import FPN, fpn_from_config
from d2freq.modeling.backbones.frozen_stats_norm import norm_layer
from d2freq.modeling.backbones.scripting import TracedBackbone
from d2freq.modeling.frequency_input.build_stem import build_stem
from d2freq.modeling.frequency_input.config import freq_input_keys
from d2freq.modeling.frequency_input.dct_stem import get_geometry
from d2freq.modeling.frequency_input.stages import make_stages
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys

logger = logging.getLogger(__name__)

__all__ = [
    "FrequencyResNet",
    "build_resnet_dct_backbone",
    "build_resnet_dct_fpn_backbone",
    "build_retinanet_resnet_dct_fpn_backbone",
]

STAGE_OF_STRIDE = {4: "res2", 8: "res3"}


class FrequencyResNet(ResNet):
    """ResNet behind an InputStem, so that images come in multiples of the stem's blocks."""

    stem: Any

    @property
    def size_divisibility(self) -> int:
        """Of what height and width have to be multiples."""
        return self.stem.size_divisibility

    def __prepare_scriptable__(self) -> nn.Module:
        return TracedBackbone(self)


@register(BACKBONE_REGISTRY)
def build_resnet_dct_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FrequencyResNet:
    """ResNet of any depth behind the stem of MODEL.FREQ_INPUT.

    Takes MODEL.RESNETS. MODEL.BACKBONE.FREEZE_AT fixes stages as it does behind an RGB stem, apart
    from layers that no RGB network has.

    Raises:
        UserError: a wrong key, or an output of the stage that is left out.
    """
    keys = cfg.MODEL.RESNETS
    first = _first_stage(cfg)
    narrow = keys.STEM_OUT_CHANNELS if first == "res2" else keys.RES2_OUT_CHANNELS
    stem = build_stem(cfg, input_shape, stride=4, channels=narrow, norm=keys.NORM)
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
        norm=norm_layer(keys.NORM),
        stride_in_1x1=keys.STRIDE_IN_1X1,
        num_groups=keys.NUM_GROUPS,
        width_per_group=keys.WIDTH_PER_GROUP,
        res2_out_channels=keys.RES2_OUT_CHANNELS,
        res5_dilation=keys.RES5_DILATION,
        res3_stride=own_keys(cfg, "MODEL.FREQ_INPUT", freq_input_keys()).RES3_STRIDE,
    )
    freeze_at = cfg.MODEL.BACKBONE.FREEZE_AT
    if freeze_at:
        kept = "the stem's" if stem.makes_features else f"{first}.0.conv1 and .shortcut"
        logger.info("MODEL.BACKBONE.FREEZE_AT %d: new layers go on learning: %s", freeze_at, kept)
    return FrequencyResNet(stem, stages, out_features=list(keys.OUT_FEATURES), freeze_at=freeze_at)


@register(BACKBONE_REGISTRY)
def build_resnet_dct_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """The same with FPN, and a level more by pooling; takes MODEL.FPN too."""
    return fpn_from_config(cfg, build_resnet_dct_backbone(cfg, input_shape), LastLevelMaxPool())


@register(BACKBONE_REGISTRY)
def build_retinanet_resnet_dct_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """The same with P6 and P7 by convolutions on res5, for one-stage detectors."""
    bottom_up = build_resnet_dct_backbone(cfg, input_shape)
    channels = bottom_up.output_shape()["res5"].channels
    top_block = LastLevelP6P7(channels, cfg.MODEL.FPN.OUT_CHANNELS)
    return fpn_from_config(cfg, bottom_up, top_block)


def _first_stage(cfg: CfgNode) -> str:
    """The stage that takes the channels: FIRST_STAGE, else by their stride."""
    keys = own_keys(cfg, "MODEL.FREQ_INPUT", freq_input_keys())
    if keys.FIRST_STAGE is not None:
        return keys.FIRST_STAGE
    stride = 4 if keys.ENTRY == "shuffle" else get_geometry(keys.MODE).stride
    if stride not in STAGE_OF_STRIDE:
        raise UserError(
            f"MODEL.FREQ_INPUT.MODE {keys.MODE!r} gives channels of stride {stride}, which no "
            "stage of a ResNet has: x2 and 4x4 enter at res2, 8x8 at res3; FIRST_STAGE names one "
            "whatever the stride"
        )
    return STAGE_OF_STRIDE[stride]
