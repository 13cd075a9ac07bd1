"""Feature pyramid network, its extra top levels, and its builders.

Shapes: N images, C_i channels of bottom-up level i, D pyramid channels, H_i x W_i a level.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from fvcore.nn.weight_init import c2_xavier_fill
from torch import nn
from torch.nn import functional as F

from ...config import CfgNode
from ...layers import Conv2d, ShapeSpec, get_norm
from .backbone import Backbone
from .build import BACKBONE_REGISTRY
from .resnet import build_resnet_backbone


class FPN(Backbone):
    """A pyramid of equal width on top of a bottom-up backbone: ``p2, p3, ...`` by stride 2^i.

    A subclass finds ``lateral_convs`` and ``output_convs`` (lists from the coarsest level to the
    finest), ``in_features`` (finest first), ``top_block``, ``bottom_up``, ``_fuse_type`` and
    ``_square_pad``.
    """

    top_block: Any  # None, or a module with num_levels and in_feature

    def __init__(
        self,
        bottom_up: Backbone,
        in_features: Sequence[str],
        out_channels: int,
        norm: str = "",
        top_block: nn.Module | None = None,
        fuse_type: str = "sum",
        square_pad: int = 0,
    ):
        """Build lateral (1x1) and output (3x3) convolutions for each level.

        Args:
            bottom_up: gives the features.
            in_features: their names from fine to coarse, each of twice the stride before.
            out_channels: D.
            norm: norm of every convolution, as ``get_norm`` takes it; with one, they have no bias.
            top_block: makes levels beyond the last from the feature ``top_block.in_feature``;
                ``top_block.num_levels`` says how many.
            fuse_type: "sum", or "avg" for the mean of the lateral and the top-down map.
            square_pad: side of a square that images are padded to, where above 0.

        Raises:
            ValueError: for features that are missing or not contiguous, or another fuse type.
        """
        super().__init__()
        shapes = bottom_up.output_shape()
        if not in_features or not set(in_features) <= set(shapes):
            raise ValueError(
                f"in_features (MODEL.FPN.IN_FEATURES) asks for {list(in_features)}; "
                f"the bottom-up backbone gives {list(shapes)}"
            )
        if fuse_type not in ("sum", "avg"):
            raise ValueError(f"fuse_type (MODEL.FPN.FUSE_TYPE) is sum or avg, got {fuse_type!r}")
        strides = [shapes[name].stride or 0 for name in in_features]
        if strides != [strides[0] * 2**index for index in range(len(strides))]:
            raise ValueError(f"each FPN level needs twice the stride before, got {strides}")

        levels = [int(math.log2(stride)) for stride in strides]
        self.lateral_convs: list[nn.Module] = []
        self.output_convs: list[nn.Module] = []
        for level, name in zip(levels, in_features, strict=True):
            lateral, output = (
                Conv2d(
                    channels,
                    out_channels,
                    kernel_size=kernel,
                    padding=kernel // 2,
                    bias=norm == "",
                    norm=get_norm(norm, out_channels),
                )
                for channels, kernel in ((shapes[name].channels, 1), (out_channels, 3))
            )
            for role, conv in (("lateral", lateral), ("output", output)):
                c2_xavier_fill(conv)
                self.add_module(f"fpn_{role}{level}", conv)
            # The top-down pass starts at the coarsest level.
            self.lateral_convs.insert(0, lateral)
            self.output_convs.insert(0, output)
        self.top_block = top_block
        self.in_features = tuple(in_features)
        self.bottom_up = bottom_up
        if top_block is not None:
            levels += range(levels[-1] + 1, levels[-1] + 1 + self.top_block.num_levels)
        self._out_feature_strides = {f"p{level}": 2**level for level in levels}
        self._out_features = list(self._out_feature_strides)
        self._out_feature_channels = dict.fromkeys(self._out_features, out_channels)
        self._size_divisibility = strides[-1]
        self._square_pad = square_pad
        self._fuse_type = fuse_type

    @property
    def size_divisibility(self) -> int:
        """Stride of the coarsest bottom-up level, so that upsampled maps meet the lateral ones."""
        return self._size_divisibility

    @property
    def padding_constraints(self) -> dict[str, int]:
        """The square that images are padded to, see ``Backbone``."""
        return {"square_size": self._square_pad}

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map images (N, 3, H, W) to levels by name, each (N, D, H_i, W_i), finest first."""
        features = self.bottom_up(x)
        outputs: list[torch.Tensor] = []  # finest first
        merged = None
        for name, lateral, output in zip(
            reversed(self.in_features), self.lateral_convs, self.output_convs, strict=True
        ):
            level = lateral(features[name])
            if merged is not None:
                level = level + F.interpolate(merged, scale_factor=2.0, mode="nearest")
                if self._fuse_type == "avg":
                    level = level / 2
            merged = level
            outputs.insert(0, output(merged))
        if self.top_block is not None:
            source = self.top_block.in_feature
            if source not in features:
                features = dict(zip(self._out_features, outputs, strict=False))
            outputs.extend(self.top_block(features[source]))
        return dict(zip(self._out_features, outputs, strict=True))


class LastLevelMaxPool(nn.Module):
    """P6 as every second pixel of P5, as in the FPN paper."""

    def __init__(self):
        super().__init__()
        self.num_levels = 1
        self.in_feature = "p5"

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Map (N, D, H, W) to one level of half the size."""
        return [F.max_pool2d(x, kernel_size=1, stride=2)]


class LastLevelP6P7(nn.Module):
    """P6 and P7 by 3x3 convolutions of stride 2 on C5 or P5 (``in_feature``), as in RetinaNet."""

    def __init__(self, in_channels: int, out_channels: int, in_feature: str = "res5"):
        super().__init__()
        self.num_levels = 2
        self.in_feature = in_feature
        self.p6 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=2, padding=1)
        self.p7 = nn.Conv2d(out_channels, out_channels, kernel_size=3, stride=2, padding=1)
        for conv in self.children():
            c2_xavier_fill(conv)

    def forward(self, c5: torch.Tensor) -> list[torch.Tensor]:
        """Map (N, C, H, W) to levels of half and of a quarter of the size."""
        p6 = self.p6(c5)
        return [p6, self.p7(F.relu(p6))]


def _fpn_from_config(cfg: CfgNode, bottom_up: Backbone, top_block: nn.Module) -> FPN:
    return FPN(
        bottom_up=bottom_up,
        in_features=cfg.MODEL.FPN.IN_FEATURES,
        out_channels=cfg.MODEL.FPN.OUT_CHANNELS,
        norm=cfg.MODEL.FPN.NORM,
        top_block=top_block,
        fuse_type=cfg.MODEL.FPN.FUSE_TYPE,
    )


@BACKBONE_REGISTRY.register()
def build_resnet_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> Backbone:
    """ResNet with FPN and P6 by pooling: P2 to P6 where MODEL.FPN.IN_FEATURES is res2 to res5."""
    return _fpn_from_config(cfg, build_resnet_backbone(cfg, input_shape), LastLevelMaxPool())


@BACKBONE_REGISTRY.register()
def build_retinanet_resnet_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> Backbone:
    """ResNet with FPN and P6, P7 from C5: P3 to P7 where MODEL.FPN.IN_FEATURES is res3 to res5."""
    bottom_up = build_resnet_backbone(cfg, input_shape)
    channels = bottom_up.output_shape()["res5"].channels
    return _fpn_from_config(cfg, bottom_up, LastLevelP6P7(channels, cfg.MODEL.FPN.OUT_CHANNELS))
