"""FCOS's losses in the published variants that Detectron2's class lacks.

Shapes: B images, L levels, R points over all levels, P of them with an object, K classes.
"""

from collections.abc import Callable

import torch
import torch.distributed as dist
from detectron2.structures import Boxes
from detectron2.utils import comm
from fvcore.nn import giou_loss, sigmoid_focal_loss
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import distance_box_iou_loss

from d2freq.ops.box_losses import iou_loss, nwd_loss

__all__ = ["BOX_LOSSES", "box_losses", "centerness_loss", "class_loss", "mean_over_processes"]

BOX_LOSSES: dict[str, Callable[..., Tensor]] = {
    "giou": giou_loss,
    "diou": distance_box_iou_loss,
    "iou": iou_loss,
    "nwd": nwd_loss,
}


def class_loss(logits: list[Tensor], labels: Tensor, *, alpha: float, gamma: float) -> Tensor:
    """Sum of the focal losses.

    Args:
        logits: L tensors (B, R_i, K).
        labels: (B, R) int64, K for the background.
    """
    joined = torch.cat(logits, dim=1)
    classes = joined.shape[-1]
    truth = F.one_hot(labels, classes + 1)[..., :classes].to(joined.dtype)  # background: no class
    return sigmoid_focal_loss(joined, truth, alpha=alpha, gamma=gamma, reduction="sum")


def box_losses(
    anchors: list[Boxes],
    deltas: list[Tensor],
    truth: list[Tensor],
    positive: Tensor,
    *,
    transform,
    kind: str,
) -> Tensor:
    """Loss of each positive point's box.

    Args:
        anchors: L `Boxes`, the square of its stride around each point.
        deltas: L tensors (B, R_i, 4).
        truth: B tensors (R, 4), XYXY in pixels.
        positive: (B, R) bool, with P True.
        transform: decodes deltas at anchors.
        kind: a name in BOX_LOSSES.

    Returns:
        (P,) float32.
    """
    point = positive.nonzero()[:, 1]
    found = transform.apply_deltas(
        torch.cat(deltas, dim=1)[positive].float(), Boxes.cat(anchors).tensor[point]
    )
    return BOX_LOSSES[kind](found, torch.stack(truth)[positive], reduction="none")


def centerness_loss(logits: list[Tensor], target: Tensor, positive: Tensor) -> Tensor:
    """Sum of the binary cross-entropies.

    Args:
        logits: L tensors (B, R_i, 1).
        target: (P,), 0 to 1.
        positive: (B, R) bool, with P True.
    """
    found = torch.cat(logits, dim=1).squeeze(2)[positive]
    return F.binary_cross_entropy_with_logits(found.float(), target, reduction="sum")


def mean_over_processes(values: Tensor) -> Tensor:
    """The mean of a tensor over all processes of a distributed training; itself in a single one."""
    if comm.get_world_size() == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / comm.get_world_size()
