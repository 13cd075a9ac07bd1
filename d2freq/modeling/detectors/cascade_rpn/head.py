"""The layers of Cascade RPN: two stages, each shared by all levels (Cascade RPN, Fig. 2).

Shape shorthand: B images, C channels, L levels of H x W cells (each its own) and R = H * W anchors.
"""

from collections.abc import Callable
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import Conv2d, ShapeSpec
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.detectors.cascade_rpn.adaptive import AdaptiveConv, adaptive_offsets
from d2freq.modeling.detectors.cascade_rpn.config import cascade_rpn_keys
from d2freq.utils.own_keys import own_keys

__all__ = ["CascadeRPNHead"]

Refine = Callable[[list[Tensor]], list[Tensor]]


class CascadeRPNHead(nn.Module):
    """A dilated convolution that moves the anchors, and an adaptive one that reads along them.

    The second stage works on the first one's features and not on the backbone's. 1,182,217
    parameters with 256 channels.

    Args:
        in_channels: C of every level, and of the features between the stages.
        dilation: of the first stage's convolution.
        strides: of the L levels, in pixels.

    Raises:
        UserError: a dilation below 1.
    """

    @configurable
    def __init__(self, *, in_channels: int, strides: list[int], dilation: int = 3) -> None:
        super().__init__()
        if dilation < 1:
            raise UserError(
                f"dilation (MODEL.CASCADE_RPN.DILATION): got {dilation!r}; give a whole number of "
                "at least 1"
            )
        self.strides = list(strides)
        conv = Conv2d(
            *(in_channels, in_channels, 3),
            padding=dilation,
            dilation=dilation,
            activation=nn.ReLU(),
        )
        self.stage0 = nn.ModuleDict({"conv": conv, "anchor_deltas": nn.Conv2d(in_channels, 4, 1)})
        self.stage1 = nn.ModuleDict(
            {
                "conv": AdaptiveConv(in_channels, in_channels),
                "objectness_logits": nn.Conv2d(in_channels, 1, 1),
                "anchor_deltas": nn.Conv2d(in_channels, 4, 1),
            }
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: list[ShapeSpec]) -> dict[str, Any]:
        """MODEL.CASCADE_RPN.DILATION, and the shapes of the levels.

        Raises:
            UserError: levels of several widths.
        """
        widths = {shape.channels for shape in input_shape}
        if len(widths) != 1:
            raise UserError(
                f"MODEL.RPN.IN_FEATURES: the levels have {sorted(widths)} channels; CascadeRPN "
                "shares its layers, so they have to have equally many"
            )
        return {
            "in_channels": widths.pop(),
            "strides": [int(shape.stride) for shape in input_shape],
            "dilation": own_keys(cfg, "MODEL.CASCADE_RPN", cascade_rpn_keys()).DILATION,
        }

    def forward(
        self, features: list[Tensor], refine: Refine | None = None
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Both stages.

        Args:
            features: L tensors (B, C, H, W).
            refine: from the first stage's deltas, L tensors (B, R, 4), to its boxes likewise, which
                the second stage reads along. None: boxes of two strides at their cells, for which
                an adaptive convolution is a plain one.

        Returns:
            Deltas of the first stage, L tensors (B, R, 4); logits (B, R) and deltas (B, R, 4) of
            the second one.
        """
        hidden = [self.stage0["conv"](level) for level in features]
        moves = [_by_anchor(self.stage0["anchor_deltas"](level)) for level in hidden]
        boxes = [None] * len(moves) if refine is None else refine(moves)
        logits, deltas = [], []
        for level, refined, stride in zip(hidden, boxes, self.strides, strict=True):
            height, width = level.shape[-2:]
            if refined is None:
                offsets = level.new_zeros(len(level), 18, height, width)
            else:
                offsets = adaptive_offsets(refined, height=height, width=width, stride=stride)
            aligned = torch.relu(self.stage1["conv"](level, offsets))
            logits.append(_by_anchor(self.stage1["objectness_logits"](aligned)).squeeze(2))
            deltas.append(_by_anchor(self.stage1["anchor_deltas"](aligned)))
        return moves, logits, deltas


def _by_anchor(prediction: Tensor) -> Tensor:
    """(B, N, H, W) -> (B, R, N), row by row."""
    return prediction.flatten(2).transpose(1, 2)
