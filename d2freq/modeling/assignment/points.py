"""FCOS's points matched to a few objects at a time.

Shape shorthand: B images, N objects of one, R points over all levels, K classes.

Detectron2 holds for each pair of object and point 20 numbers at once: 3,000 objects on the 53,294
points of an image of 800 pixels (P2 to P6) take 10 GB.
"""

from collections.abc import Callable

import torch
from detectron2.structures import Boxes, Instances
from torch import Tensor

__all__ = ["PAIRS_PER_CHUNK", "label_points_in_chunks"]

PAIRS_PER_CHUNK = 2**22  # about 80 bytes each: 340 MB
QUALITY = 1e8  # less the area of an object in square pixels: how Detectron2 ranks them

LabelAnchors = Callable[[list[Boxes], list[Instances]], tuple[list[Tensor], list[Tensor]]]


def label_points_in_chunks(
    label_anchors: LabelAnchors,
    anchors: list[Boxes],
    gt_instances: list[Instances],
    *,
    background: int,
) -> tuple[list[Tensor], list[Tensor]]:
    """What FCOS's ``label_anchors`` returns, from calls with a few objects each.

    A point within several objects belongs to the smallest, as Detectron2 tells sizes apart (see
    d2freq's FCOS); among equals to the first.

    Args:
        label_anchors: the method of Detectron2's FCOS.
        anchors: L `Boxes`.
        gt_instances: B `Instances` with `gt_boxes` and `gt_classes`.
        background: K.

    Returns:
        B labels (R,) int64, K for background, and B matched boxes (R, 4), undefined there.
    """
    rows = max(1, PAIRS_PER_CHUNK // max(1, sum(map(len, anchors))))
    labels, boxes = [], []
    for instances in gt_instances:
        (best,), (matched,) = label_anchors(anchors, [instances[:rows]])
        for start in range(rows, len(instances), rows):
            (label,), (box,) = label_anchors(anchors, [instances[start : start + rows]])
            mine = (label != background) & (
                (best == background) | (_quality(box) > _quality(matched))
            )
            best = torch.where(mine, label, best)
            matched = torch.where(mine[:, None], box, matched)
        labels.append(best)
        boxes.append(matched)
    return labels, boxes


def _quality(boxes: Tensor) -> Tensor:
    """(R,) as Detectron2 computes it, rounding included."""
    return QUALITY - Boxes(boxes).area()
