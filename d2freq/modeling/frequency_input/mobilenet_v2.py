"""MobileNetV2 without its first layer, fed with frequencies.

Shape shorthand: B images, C channels of the stem, h x w their grid.
"""

import logging
from functools import partial
from math import gcd

from detectron2.config import CfgNode
from detectron2.layers import CNNBlockBase, ShapeSpec, get_norm
from detectron2.modeling.backbone import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from torch import Tensor, nn
from torchvision.ops.misc import Conv2dNormActivation

from d2freq.modeling.backbones import FPN, MobileNetV2, norm_layer
from d2freq.modeling.backbones.fpn import fpn_from_config
from d2freq.modeling.backbones.mobilenet_v2 import mobilenetv2_keys
from d2freq.modeling.frequency_input.build_stem import build_stem
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys

logger = logging.getLogger(__name__)

__all__ = [
    "MobileNetEntry",
    "build_mobilenetv2_dct_backbone",
    "build_mobilenetv2_dct_fpn_backbone",
]

WIDTH = 32  # channels of the layer that is left out. MobileNetV2 paper, Table 2
OUT_CHANNELS = 16  # of the block behind it


class MobileNetEntry(CNNBlockBase):
    """The first inverted residual block, for C channels in the place of 32.

    Up to 32 channels: a depthwise convolution of C channels, as published for 24 and 32. Above: a
    convolution to 32 channels with as many groups as divide both numbers, which are 32 for 192, as
    published. Then a 1x1 convolution to 16 channels. Names as torchvision's ``features.1``.

    Attributes:
        input_dims: the dimension of each tensor along which input channels lie, for RGB weights.
    """

    input_dims = {
        "conv.0.0.weight": 0,
        "conv.0.1.weight": 0,
        "conv.0.1.bias": 0,
        "conv.0.1.running_mean": 0,
        "conv.0.1.running_var": 0,
        "conv.1.weight": 1,
    }

    def __init__(self, in_channels: int, *, norm: str = "FrozenBN") -> None:
        super().__init__(in_channels, OUT_CHANNELS, 1)
        width = min(in_channels, WIDTH)
        self.conv = nn.Sequential(
            Conv2dNormActivation(
                in_channels,
                width,
                groups=in_channels if in_channels == width else gcd(in_channels, WIDTH),
                norm_layer=partial(get_norm, norm_layer(norm)),
                activation_layer=nn.ReLU6,
            ),
            nn.Conv2d(width, OUT_CHANNELS, 1, bias=False),
            get_norm(norm_layer(norm), OUT_CHANNELS),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")  # as torchvision's

    def freeze(self) -> "MobileNetEntry":
        """Nothing: all of its convolutions see new channels, so they go on learning."""
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, 16, h, w)."""
        return self.conv(x)


@register(BACKBONE_REGISTRY)
def build_mobilenetv2_dct_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> MobileNetV2:
    """MobileNetV2 behind the stem of MODEL.FREQ_INPUT, in the place of its first layer.

    That layer has stride 2, which MODEL.FREQ_INPUT.MODE "x4" has too. Another mode changes all
    strides: "x2" doubles them, "8x8" makes them four times as large, the paper's classifier for
    images of 896 pixels where RGB takes 224. ENTRY "shuffle" brings them back.

    Takes MODEL.MOBILENETV2. MODEL.BACKBONE.FREEZE_AT fixes stages as it does behind an RGB layer,
    apart from layers that see new channels.

    Raises:
        UserError: a wrong key.
    """
    keys = own_keys(cfg, "MODEL.MOBILENETV2", mobilenetv2_keys())
    stem = build_stem(cfg, input_shape, stride=2, channels=WIDTH, norm=keys.NORM)
    first: list[CNNBlockBase] = [stem]
    if not stem.makes_features:
        first.append(MobileNetEntry(stem.out_channels, norm=keys.NORM))
    freeze_at = cfg.MODEL.BACKBONE.FREEZE_AT
    if freeze_at:
        names = ", ".join(f"features.{number}" for number in range(len(first)))
        logger.info("MODEL.BACKBONE.FREEZE_AT %d: new layers go on learning: %s", freeze_at, names)
    return MobileNetV2(
        out_features=keys.OUT_FEATURES, norm=keys.NORM, freeze_at=freeze_at, first_layers=first
    )


@register(BACKBONE_REGISTRY)
def build_mobilenetv2_dct_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """The same with FPN, and a level more by pooling; takes MODEL.FPN too."""
    bottom_up = build_mobilenetv2_dct_backbone(cfg, input_shape)
    return fpn_from_config(cfg, bottom_up, LastLevelMaxPool())
