"""Encodings of one box relative to another.

Shapes: N pairs of boxes, K encodings for each; boxes are XYXY in pixels.
"""

import math
from collections.abc import Sequence

import torch

from ..layers import cat
from ..structures import Boxes
from .box_losses import matched_box_loss

__all__ = ["Box2BoxTransform", "Box2BoxTransformLinear"]

# No box grows beyond 1000 / 16 of its size in one step: exp() must not overflow.
MAX_LOG_SCALE = math.log(1000.0 / 16)


def _centre_and_size(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centre (x, y) and size (width, height) of (..., 4) boxes, each (..., 2)."""
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * size, size


def _require_tensors(*boxes: torch.Tensor) -> None:
    for item in boxes:
        if not isinstance(item, torch.Tensor):
            raise TypeError(f"box transforms take tensors (N, 4), got {type(item).__name__}")


class Box2BoxTransform:
    """The encoding (dx, dy, dw, dh) of R-CNN: shift in sizes of the box, log of the scale."""

    def __init__(
        self,
        weights: tuple[float, float, float, float],
        scale_clamp: float = MAX_LOG_SCALE,
    ):
        """Keep the scaling of the four numbers.

        Args:
            weights: factors on dx, dy, dw, dh.
            scale_clamp: largest dw and dh that is decoded.
        """
        self.weights = weights
        self.scale_clamp = scale_clamp

    def get_deltas(self, src_boxes: torch.Tensor, target_boxes: torch.Tensor) -> torch.Tensor:
        """Encode ``target_boxes`` (N, 4) from ``src_boxes`` (N, 4) as (N, 4).

        Raises:
            ValueError: if a source box has no width.
        """
        _require_tensors(src_boxes, target_boxes)
        centre, size = _centre_and_size(src_boxes)
        target_centre, target_size = _centre_and_size(target_boxes)
        if not bool((size[:, 0] > 0).all()):
            raise ValueError("Box2BoxTransform cannot encode from a box without width")
        deltas = torch.cat([(target_centre - centre) / size, torch.log(target_size / size)], dim=1)
        return deltas * deltas.new_tensor(self.weights)

    def apply_deltas(self, deltas: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Decode.

        Args:
            deltas: (N, K * 4).
            boxes: (N, 4), the sources.

        Returns:
            (N, K * 4) float32.
        """
        deltas = deltas.float()  # half precision cannot tell the pixels of a large image
        centre, size = _centre_and_size(boxes.to(deltas.dtype).unsqueeze(1))
        # unflatten, not reshape: it bears N = 0 and leaves N open in a trace.
        encoded = deltas.unflatten(1, (-1, 4)) / deltas.new_tensor(self.weights)
        shift, scale = encoded.split(2, dim=-1)
        centre = centre + shift * size
        half = 0.5 * size * torch.exp(scale.clamp(max=self.scale_clamp))
        return torch.cat([centre - half, centre + half], dim=-1).flatten(1)


class Box2BoxTransformLinear:
    """The encoding of FCOS: distances from the source's centre to the target's four sides."""

    def __init__(self, normalize_by_size: bool = True):
        """Choose the unit.

        Args:
            normalize_by_size: distances in widths and heights of the source, else in pixels.
        """
        self.normalize_by_size = normalize_by_size

    def get_deltas(self, src_boxes: torch.Tensor, target_boxes: torch.Tensor) -> torch.Tensor:
        """Encode ``target_boxes`` (N, 4) from ``src_boxes`` (N, 4) as left, top, right, bottom.

        Exact where the source's centre lies inside the target; decoding clips below 0.
        """
        _require_tensors(src_boxes, target_boxes)
        centre, size = _centre_and_size(src_boxes)
        distances = torch.cat([centre - target_boxes[:, :2], target_boxes[:, 2:] - centre], dim=1)
        return distances / size.repeat(1, 2) if self.normalize_by_size else distances

    def apply_deltas(self, deltas: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Decode ``deltas`` (N, K * 4) at ``boxes`` (N, 4) into (N, K * 4), in their dtype."""
        distances = deltas.relu().unflatten(1, (-1, 4))
        centre, size = _centre_and_size(boxes.to(deltas.dtype).unsqueeze(1))
        if self.normalize_by_size:
            distances = distances * size.repeat(1, 1, 2)
        before, after = distances.split(2, dim=-1)
        return torch.cat([centre - before, centre + after], dim=-1).flatten(1)


def _dense_box_regression_loss(
    anchors: Sequence[Boxes | torch.Tensor],
    box2box_transform: Box2BoxTransform | Box2BoxTransformLinear,
    pred_anchor_deltas: Sequence[torch.Tensor],
    gt_boxes: Sequence[torch.Tensor],
    fg_mask: torch.Tensor,
    box_reg_loss_type: str = "smooth_l1",
    smooth_l1_beta: float = 0.0,
) -> torch.Tensor:
    """Sum of the box losses of a dense detector's foreground, over B images and L levels.

    Args:
        anchors: L levels of (H_i * W_i * A, 4).
        box2box_transform: the encoding of the predictions.
        pred_anchor_deltas: L levels of (B, H_i * W_i * A, 4).
        gt_boxes: B matched ground truths (R, 4), R over all levels.
        fg_mask: (B, R) bool.
        box_reg_loss_type: "smooth_l1", "giou", "diou" or "ciou".
        smooth_l1_beta: where smooth L1 turns linear; 0 is plain L1.

    Returns:
        A scalar.
    """
    level_boxes = [level.tensor if isinstance(level, Boxes) else level for level in anchors]
    _, index = torch.nonzero(fg_mask, as_tuple=True)
    return matched_box_loss(
        cat(pred_anchor_deltas, dim=1)[fg_mask],
        cat(level_boxes)[index],
        torch.stack(list(gt_boxes))[fg_mask],
        transform=box2box_transform,
        kind=box_reg_loss_type,
        beta=smooth_l1_beta,
    )
