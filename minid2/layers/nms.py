"""Suppression of boxes by better ones."""

import torch
from torchvision import ops


def batched_nms(
    boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float
) -> torch.Tensor:
    """Suppress among the boxes (N, 4) of equal ``idxs`` (N,), a class or level, only.

    Returns:
        (K,) int64, the boxes that stay, by falling score.
    """
    # In float32, as half precision merges neighbours.
    return ops.batched_nms(boxes.float(), scores, idxs, iou_threshold)
