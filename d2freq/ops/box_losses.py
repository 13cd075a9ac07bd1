"""Losses and overlaps of boxes in pairs: each box with its own partner.

Shape shorthand: N pairs of boxes, XYXY in pixels.
"""

import torch
from torch import Tensor

from d2freq.ops.boxes import NWD_CONSTANT, WASSERSTEIN_EPSILON

__all__ = ["aligned_iou", "iou_loss", "nwd_loss"]


def aligned_iou(first: Tensor, second: Tensor, *, eps: float = 1e-6) -> Tensor:
    """Intersection over union of each pair.

    Args:
        first, second: (N, 4), floating point; a side below 0 counts as 0.
        eps: square pixels that the union counts as at least, so that two boxes without area have
            the overlap 0, and a gradient of 0.

    Returns:
        (N,) in [0, 1], differentiable in both.

    Examples:
        >>> import torch
        >>> from d2freq.ops.box_losses import aligned_iou
        >>> boxes = torch.tensor([[0.0, 0, 4, 4], [0.0, 0, 4, 4]])
        >>> aligned_iou(boxes, torch.tensor([[0.0, 0, 4, 4], [2.0, 0, 6, 4]]))
        tensor([1.0000, 0.3333])
    """
    corner = torch.maximum(first[:, :2], second[:, :2])
    sides = (torch.minimum(first[:, 2:], second[:, 2:]) - corner).clamp(min=0)
    common = sides[:, 0] * sides[:, 1]
    union = _area(first) + _area(second) - common
    return common / union.clamp(min=eps)


def iou_loss(
    first: Tensor, second: Tensor, reduction: str = "none", *, eps: float = 1e-6
) -> Tensor:
    """1 - IoU of each pair: the linear IoU loss. Called as fvcore's ``giou_loss``.

    Args:
        first, second: (N, 4).
        reduction: "none" for (N,), "sum" or "mean" for a scalar; of no pairs both are 0.
        eps: see :func:`aligned_iou`.
    """
    return _reduce(1 - aligned_iou(first, second, eps=eps), reduction)


def nwd_loss(
    first: Tensor, second: Tensor, reduction: str = "none", *, constant: float = NWD_CONSTANT
) -> Tensor:
    """1 - NWD of each pair, the boxes seen as Gaussians (Wang et al. 2021). Called as above.

    It has a gradient where the boxes do not overlap, which tiny boxes often do not.

    Args:
        first, second: (N, 4).
        reduction: "none", "sum" or "mean".
        constant: C of exp(-W2 / C), in pixels: the mean absolute size of the data set's objects.
    """
    centres = (first[:, :2] + first[:, 2:] - second[:, :2] - second[:, 2:]) / 2
    halves = (first[:, 2:] - first[:, :2] - second[:, 2:] + second[:, :2]) / 2
    squared = centres.square().sum(dim=1) + halves.square().sum(dim=1)
    distance = (squared + WASSERSTEIN_EPSILON).sqrt()
    return _reduce(1 - torch.exp(-distance / constant), reduction)


def _area(boxes: Tensor) -> Tensor:
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0)
    return sides[:, 0] * sides[:, 1]


def _reduce(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return losses
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction is {reduction!r}: choose none, sum or mean")
    total = losses.sum()
    return total if reduction == "sum" else total / max(len(losses), 1)
