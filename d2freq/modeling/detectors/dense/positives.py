"""The cells of a batch that have an object, in one list.

Shapes: B images, R cells over all levels, P of them over the batch with an object, K classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from detectron2.structures import Instances
from torch import Tensor

__all__ = ["Positives", "centerness"]


class Positives(NamedTuple):
    """P cells with their objects; each field is (P,) int64, and ``boxes`` (P, 4) XYXY."""

    image: Tensor
    cell: Tensor
    boxes: Tensor
    classes: Tensor

    @classmethod
    def of(cls, owners: Sequence[Tensor], truth: Sequence[Instances]) -> "Positives":
        """From the object of each cell, B tensors (R,) int64 with -1 for the background."""
        image, cell = torch.stack(list(owners)).ge(0).nonzero().unbind(dim=1)
        boxes, classes = [], []
        for owner, found in zip(owners, truth, strict=True):
            mine = owner[owner >= 0]
            boxes.append(found.gt_boxes.tensor[mine])
            classes.append(found.gt_classes[mine])
        return cls(image, cell, torch.cat(boxes), torch.cat(classes))

    def labels(self, like: Tensor, background: int) -> Tensor:
        """(B, R) int64 class of each cell; ``like`` is (B, R, ...)."""
        labels = torch.full(like.shape[:2], background, device=like.device)
        labels[self.image, self.cell] = self.classes
        return labels

    def count_by_image(self, images: int) -> Tensor:
        """(B,) number of positive cells."""
        return torch.bincount(self.image, minlength=images)


def centerness(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Centerness (Eq. 3 of FCOS) of anchors (P, 4) in their boxes (P, 4), whose centres lie inside.

    Returns:
        (P,), 1 in the middle and 0 at an edge.
    """
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    before, behind = centres - boxes[:, :2], boxes[:, 2:] - centres
    return (torch.minimum(before, behind) / torch.maximum(before, behind)).prod(dim=1).sqrt()
