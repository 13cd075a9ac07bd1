"""MobileNetV2 as a backbone: torchvision's network under Detectron2's names.

Shape shorthand: B images, H x W the image.
"""

from collections.abc import Sequence
from functools import partial

from detectron2.config import CfgNode
from detectron2.layers import CNNBlockBase, FrozenBatchNorm2d, ShapeSpec, get_norm
from detectron2.modeling.backbone import BACKBONE_REGISTRY, Backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from torch import Tensor, nn
from torchvision import models

from d2freq.errors import UserError
from d2freq.modeling.backbones.fpn import FPN, fpn_from_config
from d2freq.modeling.backbones.frozen_stats_norm import FROZEN_STATS, norm_layer
from d2freq.modeling.backbones.scripting import TracedBackbone
from d2freq.modeling.registration import register
from d2freq.utils.choices import choice
from d2freq.utils.own_keys import own_keys

__all__ = [
    "MobileNetV2",
    "build_mobilenetv2_backbone",
    "build_mobilenetv2_fpn_backbone",
    "mobilenetv2_keys",
]

# MobileNetV2 paper, Table 2: layers in torchvision's ``features`` up to and with the stage's last,
# its stride and its channels. res5 ends with the 1x1 convolution that stands before the
# classifier, so the stages have the 24, 32, 96 and 1280 channels that HS-FPN's neck takes.
STAGES = {
    "stem": (2, 2, 16),
    "res2": (4, 4, 24),
    "res3": (7, 8, 32),
    "res4": (14, 16, 96),
    "res5": (19, 32, 1280),
}
NORMS = ("FrozenBN", FROZEN_STATS, "BN", "SyncBN")


class MobileNetV2(Backbone):
    """torchvision's MobileNetV2 of width 1, without its classifier.

    The parameters keep torchvision's names, ``features.0.0.weight`` and so on, and so do
    torchvision's weights, which expect RGB images scaled by ImageNet's mean and deviation.

    Args:
        out_features: any of "stem", "res2", "res3", "res4" and "res5", of strides 2, 4, 8, 16, 32
            and 16, 24, 32, 96, 1280 channels. Layers behind the last one are dropped.
        norm: "FrozenBN" (statistics and affine parameters are constant), "FrozenStatsBN"
            (statistics are), "BN" or "SyncBN".
        freeze_at: how many stages are fixed, see :meth:`freeze`.
        first_layers: what stands in the place of the first layers of ``features``; with a stride of
            its first layer other than 2 the strides above change by the same factor.
        in_channels: of the pictures, where no first layers are given.

    Raises:
        UserError: an unknown feature or norm.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.backbones import MobileNetV2
        >>> features = MobileNetV2(out_features=["res2", "res3"])(torch.randn(1, 3, 64, 64))
        >>> {name: tuple(feature.shape) for name, feature in features.items()}
        {'res2': (1, 24, 16, 16), 'res3': (1, 32, 8, 8)}
    """

    def __init__(
        self,
        *,
        out_features: Sequence[str] = ("res2", "res3", "res4", "res5"),
        norm: str = "FrozenBN",
        freeze_at: int = 0,
        first_layers: Sequence[CNNBlockBase] = (),
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if not out_features or not set(out_features) <= set(STAGES):
            raise UserError(
                f"MobileNetV2 has the features {', '.join(STAGES)}; out_features "
                f"(MODEL.MOBILENETV2.OUT_FEATURES) asks for {list(out_features)}"
            )
        choice(norm, NORMS, key="MobileNetV2 norm (MODEL.MOBILENETV2.NORM)")
        self._out_features = list(out_features)
        # the first layer halves the image, unless another one is given
        first = first_layers[0].stride if first_layers else 2
        self._out_feature_strides = {name: STAGES[name][1] * first // 2 for name in STAGES}
        self._out_feature_channels = {name: STAGES[name][2] for name in STAGES}
        last = max(STAGES[name][0] for name in out_features)
        network = models.MobileNetV2(norm_layer=partial(get_norm, norm_layer(norm)))
        self.features = network.features[:last]
        if in_channels != 3:  # of pictures of other bands; see d2freq.engine.weights.bands
            rgb = self.features[0][0]
            self.features[0][0] = nn.Conv2d(
                in_channels, rgb.out_channels, 3, stride=2, padding=1, bias=False
            )
            nn.init.kaiming_normal_(self.features[0][0].weight, mode="fan_out")
        for index, layer in enumerate(first_layers):
            self.features[index] = layer
        self.freeze(freeze_at)

    @property
    def size_divisibility(self) -> int:
        """Of what height and width have to be multiples; 0 for any size."""
        return getattr(self.features[0], "size_divisibility", 0)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) -> the features asked for, each (B, C_i, ceil(H / s_i), ceil(W / s_i))."""
        ends = {STAGES[name][0]: name for name in self._out_features}
        found = {}
        for number, layer in enumerate(self.features, start=1):
            x = layer(x)
            if number in ends:
                found[ends[number]] = x
        return found

    def __prepare_scriptable__(self) -> nn.Module:
        return TracedBackbone(self)

    def freeze(self, freeze_at: int = 0) -> "MobileNetV2":
        """Fix the first stages: no gradients, batch norms as FrozenBatchNorm2d.

        1 fixes the stem, 2 the stem and res2, and so on; 0 nothing. First layers that were given
        decide themselves what of them is fixed.
        """
        layers = [0, *(end for end, _, _ in STAGES.values())][min(freeze_at, len(STAGES))]
        for index, layer in enumerate(self.features[:layers]):
            if isinstance(layer, CNNBlockBase):
                layer.freeze()
                continue
            self.features[index] = FrozenBatchNorm2d.convert_frozen_batchnorm(layer)
            for parameter in layer.parameters():
                parameter.requires_grad = False
        return self


def mobilenetv2_keys() -> CfgNode:
    """MODEL.MOBILENETV2: the backbone MobileNetV2; MODEL.BACKBONE.FREEZE_AT holds too."""
    node = CfgNode()
    # Any of stem, res2, res3, res4, res5: strides 2, 4, 8, 16, 32.
    node.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    # "FrozenBN" | "FrozenStatsBN" | "BN" | "SyncBN". FrozenBN suits the few images of a detector's
    # batch, and needs MODEL.WEIGHTS: without ImageNet's statistics it normalises nothing. So does
    # FrozenStatsBN, whose weight and bias learn, as in HS-FPN's MobileNetV2. From scratch: "BN".
    node.NORM = "FrozenBN"
    return node


@register(BACKBONE_REGISTRY)
def build_mobilenetv2_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> MobileNetV2:
    """MobileNetV2 from MODEL.MOBILENETV2, its first MODEL.BACKBONE.FREEZE_AT stages fixed.

    Raises:
        UserError: for a wrong key.
    """
    keys = own_keys(cfg, "MODEL.MOBILENETV2", mobilenetv2_keys())
    return MobileNetV2(
        out_features=keys.OUT_FEATURES,
        norm=keys.NORM,
        freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT,
        in_channels=input_shape.channels,
    )


@register(BACKBONE_REGISTRY)
def build_mobilenetv2_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """MobileNetV2 with FPN and P6 by pooling: P2 to P6 where MODEL.FPN.IN_FEATURES is res2 to res5.

    Takes MODEL.MOBILENETV2 and MODEL.FPN.
    """
    bottom_up = build_mobilenetv2_backbone(cfg, input_shape)
    return fpn_from_config(cfg, bottom_up, LastLevelMaxPool())
