"""The layers of the region proposal network.

Shapes: B images, A anchors a location, L levels of H x W (each its own).
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from fvcore.common.registry import Registry
from torch import nn

from ...config import CfgNode, configurable
from ...layers import Conv2d, ShapeSpec
from ..anchor_generator import build_anchor_generator

RPN_HEAD_REGISTRY = Registry("RPN_HEAD")
"""RPN heads by name. A head takes a list of L feature maps and returns two lists of L tensors:
objectness logits (B, A, H, W) and box deltas (B, A * box_dim, H, W)."""


def build_rpn_head(cfg: CfgNode, input_shape: list[ShapeSpec]) -> nn.Module:
    """Build `MODEL.RPN.HEAD_NAME` for the levels of `input_shape`, in their order."""
    return RPN_HEAD_REGISTRY.get(cfg.MODEL.RPN.HEAD_NAME)(cfg, input_shape)


@RPN_HEAD_REGISTRY.register()
class StandardRPNHead(nn.Module):
    """Shared 3x3 convolutions, then one 1x1 for the logits and one for the deltas.

    ``conv_dims`` are the channels of the shared ones; -1 keeps the number that comes in.
    """

    @configurable
    def __init__(
        self,
        *,
        in_channels: int,
        num_anchors: int,
        box_dim: int = 4,
        conv_dims: Sequence[int] = (-1,),
    ) -> None:
        super().__init__()
        blocks, width = [], in_channels
        for dim in conv_dims:
            out = width if dim == -1 else dim
            blocks.append(Conv2d(width, out, kernel_size=3, padding=1, activation=nn.ReLU()))
            width = out
        # One convolution goes by the plain name that published weights use.
        if len(blocks) == 1:
            self.conv: nn.Module = blocks[0]
        else:
            self.conv = nn.Sequential(OrderedDict((f"conv{i}", b) for i, b in enumerate(blocks)))
        self.objectness_logits = nn.Conv2d(width, num_anchors, kernel_size=1)
        self.anchor_deltas = nn.Conv2d(width, num_anchors * box_dim, kernel_size=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.01)  # Faster R-CNN, section 3.1
                nn.init.zeros_(layer.bias)

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: list[ShapeSpec]) -> dict[str, Any]:
        """Explicit arguments from a config; all levels must agree in channels and anchors."""
        anchors: Any = build_anchor_generator(cfg, input_shape)
        channels, counts = {shape.channels for shape in input_shape}, set(anchors.num_anchors)
        if len(channels) != 1 or len(counts) != 1:
            raise ValueError(
                "the RPN needs one channel count and one anchor count on all levels, got "
                f"{channels} and {counts}"
            )
        return {
            "in_channels": channels.pop(),
            "num_anchors": counts.pop(),
            "box_dim": anchors.box_dim,
            "conv_dims": cfg.MODEL.RPN.CONV_DIMS,
        }

    def forward(
        self, features: list[torch.Tensor]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Logits (B, A, H, W) and deltas (B, A * box_dim, H, W), level by level."""
        hidden = [self.conv(level) for level in features]
        logits = [self.objectness_logits(level) for level in hidden]
        return logits, [self.anchor_deltas(level) for level in hidden]
