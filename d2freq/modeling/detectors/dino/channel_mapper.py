"""A neck without a pyramid: each map of the backbone projected to the same channels.

It is DINO's, as part of the backbone: whatever takes the levels p2 to p6 of an FPN or stands in its
place, such as SET or HS-FPN, goes with it.

Shapes: B images, C channels of every level.
"""

from collections.abc import Sequence
from typing import Any

from detectron2.config import CfgNode
from detectron2.layers import Conv2d, ShapeSpec, get_norm
from detectron2.modeling.backbone import BACKBONE_REGISTRY, Backbone
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.backbones.extents import extents_of, is_batch_norm_training
from d2freq.modeling.backbones.scripting import TracedBackbone
from d2freq.modeling.detectors.dino.config import dino_keys
from d2freq.modeling.detectors.dino.layouts import resolve_layout
from d2freq.modeling.registration import own_name, register
from d2freq.utils.own_keys import own_keys

__all__ = [
    "ChannelMapper",
    "build_mobilenetv2_channel_mapper_backbone",
    "build_resnet_channel_mapper_backbone",
]

GROUPS = 32  # of Detectron2's "GN"


class ChannelMapper(Backbone):
    """1x1 convolutions with a norm, and 3x3 ones of stride 2 for coarser levels than there are.

    The level of stride 2^i is ``p{i}``, by the module ``project{i}``. Images of several sizes in a
    padded batch give what each gives alone, and zeros beyond it: a group norm over the padding
    would depend on the others of the batch.

    Args:
        bottom_up: makes ``in_features``.
        in_features: from high to low resolution.
        out_channels: C; for "GN" a multiple of 32 from 64 on, as a group of one channel has no
            variance on a map of one cell.
        extra_levels: coarser levels, the first on the last of ``in_features``, each other on the
            one before it.
        norm: "GN", the published one, or any other of Detectron2's; "" for none.
        bias: whether the convolutions have one, beside the norm.

    Raises:
        UserError: ``bottom_up`` lacks one of ``in_features``, or channels that do not make groups.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.backbones import MobileNetV2
        >>> from d2freq.modeling.detectors.dino import ChannelMapper
        >>> neck = ChannelMapper(MobileNetV2(), ["res4", "res5"], out_channels=64)
        >>> maps = neck(torch.randn(1, 3, 64, 96))
        >>> {name: tuple(level.shape[1:]) for name, level in maps.items()}
        {'p4': (64, 4, 6), 'p5': (64, 2, 3), 'p6': (64, 1, 2)}
    """

    def __init__(
        self,
        bottom_up: Backbone,
        in_features: Sequence[str],
        out_channels: int = 256,
        *,
        extra_levels: int = 1,
        norm: str = "GN",
        bias: bool = True,
    ) -> None:
        super().__init__()
        shapes = bottom_up.output_shape()
        if missing := [name for name in in_features if name not in shapes]:
            raise UserError(
                f"ChannelMapper: in_features (MODEL.FPN.IN_FEATURES) asks for {', '.join(missing)};"
                f" the backbone gives {', '.join(shapes)}"
            )
        if norm == "GN" and (out_channels % GROUPS or out_channels < 2 * GROUPS):
            raise UserError(
                f"ChannelMapper: {out_channels} channels (MODEL.FPN.OUT_CHANNELS) make no {GROUPS} "
                f"groups of the group norm: take a multiple of {GROUPS} from {2 * GROUPS} on"
            )
        self.bottom_up = bottom_up
        self.in_features = list(in_features)
        self._out_feature_strides: dict[str, int] = {}
        stride = 0
        for name in in_features:
            stride = int(shapes[name].stride)
            self._add(stride, shapes[name].channels, out_channels, 1, norm, bias)
        channels = shapes[self.in_features[-1]].channels
        for _ in range(extra_levels):
            stride *= 2
            self._add(stride, channels, out_channels, 3, norm, bias)
            channels = out_channels
        self._out_features = list(self._out_feature_strides)
        self._out_feature_channels = dict.fromkeys(self._out_features, out_channels)

    def _add(
        self, stride: int, channels: int, out_channels: int, kernel: int, norm: str, bias: bool
    ) -> None:
        layer = Conv2d(
            channels,
            out_channels,
            kernel_size=kernel,
            stride=1 if kernel == 1 else 2,
            padding=kernel // 2,
            bias=bias,
            norm=get_norm(norm, out_channels),
        )
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        stage = stride.bit_length() - 1
        self.add_module(f"project{stage}", layer)
        self._out_feature_strides[f"p{stage}"] = stride

    @property
    def size_divisibility(self) -> int:
        """Of what height and width have to be multiples: what the backbone below says."""
        return self.bottom_up.size_divisibility

    @property
    def padding_constraints(self) -> dict[str, int]:
        """See Detectron2's Backbone; what the backbone below says."""
        return self.bottom_up.padding_constraints

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) -> "p2" and so on, (B, C, ceil(H / stride), ceil(W / stride)) each."""
        extents = extents_of(x)
        if extents is not None and not is_batch_norm_training(self):
            return extents.apply(self._project, x)
        return self._project(x)

    def __prepare_scriptable__(self) -> nn.Module:
        return TracedBackbone(self)

    def _project(self, x: Tensor) -> dict[str, Tensor]:
        features = self.bottom_up(x)
        found: dict[str, Tensor] = {}
        for place, level in enumerate(self._out_features):
            if place < len(self.in_features):
                source = features[self.in_features[place]]
            elif place == len(self.in_features):
                source = features[self.in_features[-1]]
            else:
                source = found[self._out_features[place - 1]]
            found[level] = getattr(self, f"project{level[1:]}")(source)
        return found


def _map_channels(cfg: CfgNode, input_shape: ShapeSpec, *, bottom_up: str) -> ChannelMapper:
    keys = own_keys(cfg, "MODEL.DINO", dino_keys())
    below: Any = BACKBONE_REGISTRY.get(own_name(bottom_up))(cfg, input_shape)
    return ChannelMapper(
        below,
        cfg.MODEL.FPN.IN_FEATURES,
        cfg.MODEL.FPN.OUT_CHANNELS,
        bias=resolve_layout(keys.LAYOUT, neck_bias=keys.NECK_BIAS).neck_bias,
    )


@register(BACKBONE_REGISTRY)
def build_resnet_channel_mapper_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> ChannelMapper:
    """ResNet with DINO's neck: P2 to P6 of res2 to res5, P3 to P6 of res3 to res5.

    Takes MODEL.RESNETS, MODEL.FPN.{IN_FEATURES,OUT_CHANNELS} and MODEL.DINO.{LAYOUT,NECK_BIAS}.
    """
    return _map_channels(cfg, input_shape, bottom_up="build_d2freq_resnet_backbone")


@register(BACKBONE_REGISTRY)
def build_mobilenetv2_channel_mapper_backbone(
    cfg: CfgNode, input_shape: ShapeSpec
) -> ChannelMapper:
    """MobileNetV2 likewise, by MODEL.MOBILENETV2 in the place of MODEL.RESNETS."""
    return _map_channels(cfg, input_shape, bottom_up="build_mobilenetv2_backbone")
