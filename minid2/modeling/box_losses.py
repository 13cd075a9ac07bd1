"""Regression losses between boxes, shared by the dense and the per-region heads.

Shapes: P matched boxes (the positives, already selected).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from fvcore.nn import giou_loss, smooth_l1_loss

from ..layers import ciou_loss, diou_loss

if TYPE_CHECKING:  # box_regression imports this file
    from .box_regression import Box2BoxTransform, Box2BoxTransformLinear

# These compare decoded boxes, so they see the corners and not the deltas.
_IOU_LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "giou": giou_loss,
    "diou": diou_loss,
    "ciou": ciou_loss,
}


def matched_box_loss(
    deltas: torch.Tensor,
    sources: torch.Tensor,
    targets: torch.Tensor,
    *,
    transform: Box2BoxTransform | Box2BoxTransformLinear,
    kind: str,
    beta: float,
) -> torch.Tensor:
    """Sum of the regression losses of matched pairs.

    Args:
        deltas: (P, 4) predicted deltas, any floating dtype.
        sources: (P, 4) anchors or proposals that the deltas start from.
        targets: (P, 4) ground-truth boxes, pixels.
        transform: decodes deltas and encodes targets.
        kind: "smooth_l1", "giou", "diou" or "ciou".
        beta: width of the quadratic part; "smooth_l1" alone reads it, and 0 means plain L1.

    Returns:
        A scalar; exactly zero, with a gradient path to `deltas`, when P is 0.

    Raises:
        ValueError: if `kind` is none of the four.
    """
    if kind == "smooth_l1":
        encoded = transform.get_deltas(sources, targets)
        return smooth_l1_loss(deltas, encoded, beta, reduction="sum")
    if kind not in _IOU_LOSSES:
        known = ", ".join(["smooth_l1", *_IOU_LOSSES])
        raise ValueError(f"unknown box regression loss '{kind}' (BBOX_REG_LOSS_TYPE); use {known}")
    decoded = transform.apply_deltas(deltas, sources)
    return _IOU_LOSSES[kind](decoded, targets, reduction="sum")
