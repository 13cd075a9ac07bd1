"""The head of RetinaNet: two towers of convolutions, one for the classes and one for the boxes.

Shapes: B images, C channels of the backbone, H x W a level, A anchors at each position, K classes.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ...config import CfgNode, configurable
from ...layers import CycleBatchNormList, ShapeSpec, get_norm
from ..anchor_generator import build_anchor_generator


def _make_norm(norm: str | Callable, channels: int, levels: int) -> nn.Module | None:
    by_level = {"BN": nn.BatchNorm2d, "SyncBN": nn.SyncBatchNorm}
    if isinstance(norm, str) and norm in by_level:
        # All levels come by in turns and differ, so each gets statistics of its own.
        return CycleBatchNormList(levels, by_level[norm], num_features=channels)
    return get_norm(norm, channels)


class RetinaNetHead(nn.Module):
    """The same two towers on every level, and a 3x3 convolution on top of each."""

    @configurable
    def __init__(
        self,
        *,
        input_shape: list[ShapeSpec],
        num_classes: int,
        num_anchors: int,
        conv_dims: list[int],
        norm: str | Callable = "",
        prior_prob: float = 0.01,
    ) -> None:
        """
        Args:
            input_shape: of the levels, which agree in channels.
            num_classes: K, without the background.
            num_anchors: A.
            conv_dims: channels of the convolutions of each tower.
            norm: see `get_norm`; between each of these and its ReLU.
            prior_prob: score of every anchor at the start. Without a low one the loss of the many
                background anchors would blow up (RetinaNet, 4.1).
        """
        super().__init__()
        assert input_shape[0].channels is not None
        towers: list[list[nn.Module]] = [[], []]
        width = input_shape[0].channels
        for dim in conv_dims:
            for tower in towers:
                tower.append(nn.Conv2d(width, dim, kernel_size=3, padding=1))
                layer = _make_norm(norm, dim, levels=len(input_shape))
                tower += [nn.ReLU()] if layer is None else [layer, nn.ReLU()]
            width = dim
        self.cls_subnet = nn.Sequential(*towers[0])
        self.bbox_subnet = nn.Sequential(*towers[1])
        self.cls_score = nn.Conv2d(width, num_anchors * num_classes, kernel_size=3, padding=1)
        self.bbox_pred = nn.Conv2d(width, num_anchors * 4, kernel_size=3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.01)  # RetinaNet, 4.1
                nn.init.zeros_(layer.bias)
        assert self.cls_score.bias is not None
        nn.init.constant_(self.cls_score.bias, -math.log((1 - prior_prob) / prior_prob))

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: list[ShapeSpec]) -> dict[str, Any]:
        """Explicit arguments from a config; all levels must agree in their number of anchors."""
        keys = cfg.MODEL.RETINANET
        anchors: Any = build_anchor_generator(cfg, input_shape)
        counts = set(anchors.num_anchors)
        if len(counts) != 1:
            raise ValueError(f"RetinaNet needs one number of anchors on all levels, got {counts}")
        return {
            "input_shape": input_shape,
            "num_classes": keys.NUM_CLASSES,
            "num_anchors": counts.pop(),
            "conv_dims": [input_shape[0].channels] * keys.NUM_CONVS,
            "norm": keys.NORM,
            "prior_prob": keys.PRIOR_PROB,
        }

    def forward(
        self, features: list[torch.Tensor]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Logits (B, A * K, H, W) and deltas (B, A * 4, H, W) of maps (B, C, H, W), by level."""
        logits = [self.cls_score(self.cls_subnet(level)) for level in features]
        return logits, [self.bbox_pred(self.bbox_subnet(level)) for level in features]
