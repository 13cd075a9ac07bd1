"""Encoding of one box relative to another, and the losses between boxes.

Shapes: N pairs of boxes, K encodings for each, P positives; boxes are XYXY in pixels.
"""

import math
from collections.abc import Callable, Sequence

import torch
from fvcore.nn import giou_loss, smooth_l1_loss
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss

from ..structures import Boxes

# No box grows beyond 1000 / 16 of its size in one step: exp() must not overflow.
MAX_LOG_SCALE = math.log(1000.0 / 16)

# These compare decoded boxes, so they see the corners and not the deltas.
_IOU_LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "giou": giou_loss,
    "diou": distance_box_iou_loss,
    "ciou": complete_box_iou_loss,
}


def _centre_and_size(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centre (x, y) and size (width, height) of (..., 4) boxes, each (..., 2)."""
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * size, size


class Box2BoxTransform:
    """The encoding (dx, dy, dw, dh) of R-CNN: shift in sizes of the box, log of the scale.

    ``weights`` are factors on the four; ``scale_clamp`` is the largest dw and dh that is decoded.
    """

    def __init__(
        self, weights: tuple[float, float, float, float], scale_clamp: float = MAX_LOG_SCALE
    ):
        self.weights = weights
        self.scale_clamp = scale_clamp

    def get_deltas(self, src_boxes: torch.Tensor, target_boxes: torch.Tensor) -> torch.Tensor:
        """Encode ``target_boxes`` (N, 4) from ``src_boxes`` (N, 4) as (N, 4).

        Raises:
            ValueError: if a source box has no width.
        """
        centre, size = _centre_and_size(src_boxes)
        target_centre, target_size = _centre_and_size(target_boxes)
        if not bool((size[:, 0] > 0).all()):
            raise ValueError("Box2BoxTransform cannot encode from a box without width")
        deltas = torch.cat([(target_centre - centre) / size, torch.log(target_size / size)], dim=1)
        return deltas * deltas.new_tensor(self.weights)

    def apply_deltas(self, deltas: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Decode ``deltas`` (N, K * 4) at ``boxes`` (N, 4) into (N, K * 4) float32."""
        deltas = deltas.float()  # half precision cannot tell the pixels of a large image
        centre, size = _centre_and_size(boxes.to(deltas.dtype).unsqueeze(1))
        # unflatten, not reshape: it bears N = 0 and leaves N open in a trace.
        encoded = deltas.unflatten(1, (-1, 4)) / deltas.new_tensor(self.weights)
        shift, scale = encoded.split(2, dim=-1)
        centre = centre + shift * size
        half = 0.5 * size * torch.exp(scale.clamp(max=self.scale_clamp))
        return torch.cat([centre - half, centre + half], dim=-1).flatten(1)


class Box2BoxTransformLinear:
    """The encoding (left, top, right, bottom) of FCOS: from a box's centre to the other's edges.

    With ``normalize_by_size`` the distances count in sizes of the source box, in FCOS its stride.
    """

    def __init__(self, normalize_by_size: bool = True):
        self.normalize_by_size = normalize_by_size

    def get_deltas(self, src_boxes: torch.Tensor, target_boxes: torch.Tensor) -> torch.Tensor:
        """Encode ``target_boxes`` (N, 4) from ``src_boxes`` (N, 4) as (N, 4).

        Negative where the centre of the source lies outside the target.
        """
        centre, size = _centre_and_size(src_boxes)
        deltas = torch.cat([centre - target_boxes[:, :2], target_boxes[:, 2:] - centre], dim=1)
        return deltas / size.repeat(1, 2) if self.normalize_by_size else deltas

    def apply_deltas(self, deltas: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Decode ``deltas`` (N, K * 4) at ``boxes`` (N, 4) into (N, K * 4), at least float32.

        Negative deltas count as 0, so no box turns inside out and each holds its source's centre.
        """
        # half precision cannot tell the pixels of a large image
        deltas = deltas.to(torch.promote_types(deltas.dtype, torch.float32))
        centre, size = _centre_and_size(boxes.to(deltas.dtype).unsqueeze(1))
        start, end = deltas.unflatten(1, (-1, 4)).relu().split(2, dim=-1)
        if self.normalize_by_size:
            start, end = start * size, end * size
        return torch.cat([centre - start, centre + end], dim=-1).flatten(1)


BoxTransform = Box2BoxTransform | Box2BoxTransformLinear


def matched_box_loss(
    deltas: torch.Tensor,
    sources: torch.Tensor,
    targets: torch.Tensor,
    *,
    transform: BoxTransform,
    kind: str,
    beta: float,
) -> torch.Tensor:
    """Sum of the regression losses of matched pairs.

    Args:
        deltas: (P, 4) predictions, any floating dtype.
        sources: (P, 4) anchors or proposals that the deltas start from.
        targets: (P, 4) ground-truth boxes.
        transform: decodes deltas and encodes targets.
        kind: "smooth_l1", "giou", "diou" or "ciou".
        beta: width of the quadratic part of "smooth_l1"; 0 means plain L1.

    Returns:
        A scalar; exactly zero, with a gradient path to ``deltas``, when P is 0.

    Raises:
        ValueError: if ``kind`` is none of the four.
    """
    if kind == "smooth_l1":
        encoded = transform.get_deltas(sources, targets)
        return smooth_l1_loss(deltas, encoded, beta, reduction="sum")
    if kind not in _IOU_LOSSES:
        known = ", ".join(["smooth_l1", *_IOU_LOSSES])
        raise ValueError(f"unknown box regression loss '{kind}' (BBOX_REG_LOSS_TYPE); use {known}")
    decoded = transform.apply_deltas(deltas, sources)
    return _IOU_LOSSES[kind](decoded, targets, reduction="sum")


def _dense_box_regression_loss(
    anchors: Sequence[Boxes],
    box2box_transform: BoxTransform,
    pred_anchor_deltas: Sequence[torch.Tensor],
    gt_boxes: Sequence[torch.Tensor],
    fg_mask: torch.Tensor,
    box_reg_loss_type: str = "smooth_l1",
    smooth_l1_beta: float = 0.0,
) -> torch.Tensor:
    """Sum of the box losses of a dense detector's foreground, over B images and L levels.

    Deltas come as (B, R_i, 4) a level, matched ground truth as (R, 4) an image, R over all
    levels, ``fg_mask`` as (B, R) bool; see ``matched_box_loss`` for the rest.
    """
    _, index = torch.nonzero(fg_mask, as_tuple=True)
    return matched_box_loss(
        torch.cat(list(pred_anchor_deltas), dim=1)[fg_mask],
        Boxes.cat(list(anchors)).tensor[index],
        torch.stack(list(gt_boxes))[fg_mask],
        transform=box2box_transform,
        kind=box_reg_loss_type,
        beta=smooth_l1_beta,
    )
