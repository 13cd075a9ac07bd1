"""Boxes as shares of the picture: (cx, cy, w, h), their corners, and how two of them overlap."""

import torch
from torch import Tensor

__all__ = ["corners", "from_corners", "generalized_iou", "inverse_sigmoid"]

# Below any box: a millionth of the picture in both directions. Added to an area instead, the usual
# 1e-7 would be a sixteenth of an object of one pixel in a picture of 800.
SMALLEST_AREA = 1e-12


def corners(boxes: Tensor) -> Tensor:
    """(..., 4) boxes as centre, width and height to (x0, y0, x1, y1)."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat((centre - half, centre + half), dim=-1)


def from_corners(boxes: Tensor) -> Tensor:
    """(..., 4) corners (x0, y0, x1, y1) to centre, width and height."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat(((low + high) / 2, high - low), dim=-1)


def inverse_sigmoid(shares: Tensor, eps: float) -> Tensor:
    """The logit of numbers that are first moved into [eps, 1 - eps]."""
    return torch.logit(shares, eps=eps)


def generalized_iou(first: Tensor, second: Tensor) -> Tensor:
    """GIoU: the IoU less the share of the boxes' common hull that neither of them covers.

    Args:
        first, second: (..., 4) corners, of shapes that broadcast against each other.

    Returns:
        (...), from -1 to 1; 0 for two boxes at one point without area.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.dino.boxes import generalized_iou
        >>> boxes = torch.tensor([[0.0, 0.0, 0.2, 0.2], [0.2, 0.0, 0.4, 0.2]])
        >>> generalized_iou(boxes, torch.tensor([0.0, 0.0, 0.2, 0.1]))
        tensor([ 0.5000, -0.2500])
    """
    area = (first[..., 2:] - first[..., :2]).prod(-1) + (second[..., 2:] - second[..., :2]).prod(-1)
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    both = (high - low).clamp(min=0).prod(-1)
    low = torch.minimum(first[..., :2], second[..., :2])
    high = torch.maximum(first[..., 2:], second[..., 2:])
    hull = (high - low).prod(-1)
    either = area - both
    overlap = both / either.clamp(min=SMALLEST_AREA)
    return overlap - (hull - either) / hull.clamp(min=SMALLEST_AREA)
