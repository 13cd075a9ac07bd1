"""Non-maximum suppression, from torchvision."""

import torch
from torchvision.ops import batched_nms as _torchvision_batched_nms
from torchvision.ops import nms

__all__ = ["batched_nms", "nms"]


def batched_nms(
    boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float
) -> torch.Tensor:
    """Suppress among the boxes of equal ``idxs`` only.

    Args:
        boxes: (N, 4), XYXY; compared in float32, as half precision merges neighbours.
        scores: (N,).
        idxs: (N,) class or level of each box.
        iou_threshold: a box above this IoU with a better one goes.

    Returns:
        (K,) int64, the boxes that stay, by falling score.
    """
    if boxes.shape[-1] != 4:
        raise ValueError(f"batched_nms takes (N, 4) XYXY boxes, got {tuple(boxes.shape)}")
    return _torchvision_batched_nms(boxes.float(), scores, idxs, iou_threshold)
