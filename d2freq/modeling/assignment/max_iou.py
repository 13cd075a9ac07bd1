"""MaxIoU: anchors by their overlap with objects, an object without a near anchor gets none.

Source: the rule of the RPN in the HS-FPN and SET papers' framework (its "MaxIoUAssigner"). It
parts from Detectron2's `Matcher` in two points. An object whose best anchor overlaps it by less
than a minimum has no anchor, where Detectron2 forces one on each: of tiny objects among anchors of
8 strides that is nearly all. And an anchor that is the best of an object belongs to that object,
where Detectron2 leaves it with the object that it overlaps most.

Shape shorthand: N objects, M anchors.

The N x M overlaps come in chunks of objects, as in ``ranking.py``; the result does not depend on
the cut.
"""

import torch
from detectron2.structures import Boxes, pairwise_iou
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.assignment.ranking import PAIRS_PER_CHUNK, check_finite, check_threshold

__all__ = ["MaxIoUAssigner"]


class MaxIoUAssigner:
    """Anchors that overlap an object enough are positive, and the best ones of each object.

    Memory beyond arguments and results stays under 256 MB, also for 3,000 objects and 160,000
    anchors.

    Args:
        positive_iou: overlap (IoU) from which on an anchor is positive.
        negative_iou: an anchor whose overlap with every object is below this is negative.
        min_positive_iou: overlap that an object's best anchors must have to become positive; below
            it the object has none.

    Raises:
        UserError: a value out of range.
    """

    def __init__(
        self,
        *,
        positive_iou: float = 0.7,
        negative_iou: float = 0.3,
        min_positive_iou: float = 0.3,
    ) -> None:
        check_threshold(min_positive_iou, "min_positive_iou (MODEL.MAX_IOU_RPN.MIN_POS_IOU)")
        if not 0 < negative_iou <= positive_iou <= 1:
            raise UserError(
                f"negative_iou {negative_iou!r} and positive_iou {positive_iou!r} "
                "(MODEL.RPN.IOU_THRESHOLDS): give two overlaps above 0 and at most 1, the "
                "negative one first"
            )
        self.positive_iou = positive_iou
        self.negative_iou = negative_iou
        self.min_positive_iou = min_positive_iou

    @torch.no_grad()
    def __call__(self, truth: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """Label anchors by their objects.

        First an anchor is positive, negative or neither by its largest overlap, and goes to that
        object, the first among equals. Then each object in turn takes its best anchors, all that
        tie, if they overlap it by the minimum; a later object takes from an earlier one.

        Args:
            truth: (N, 4) XYXY in pixels; with none, all anchors are negative.
            anchors: (M, 4) XYXY, on the same device; M may be 0.

        Returns:
            matches: (M,) int64 in [0, N), the object of a positive anchor; without meaning
                elsewhere.
            labels: (M,) int8; 1 positive, 0 negative, -1 ignored.

        Raises:
            UserError: an object has a coordinate that is NaN or infinite.
        """
        count, total = len(truth), len(anchors)
        matches = torch.zeros(total, dtype=torch.int64, device=anchors.device)
        if count == 0 or total == 0:
            return matches, matches.to(torch.int8)
        check_finite(truth)
        best = anchors.new_full((total,), -torch.inf)
        taken = torch.full_like(matches, -1)
        rows = max(1, PAIRS_PER_CHUNK // total)
        for start in range(0, count, rows):
            chunk = truth[start : start + rows].to(anchors.dtype)
            overlaps = self.similarity(chunk, anchors)
            highest, owner = overlaps.max(dim=0)
            better = highest > best  # not at a tie: the first object keeps it
            best = torch.where(better, highest, best)
            matches = torch.where(better, owner + start, matches)
            best_of_object = overlaps.amax(dim=1, keepdim=True)
            takes = (overlaps == best_of_object) & (best_of_object >= self.min_positive_iou)
            numbers = torch.arange(start, start + len(chunk), device=anchors.device)
            taken = torch.maximum(taken, torch.where(takes, numbers[:, None], -1).amax(dim=0))
        labels = torch.full_like(matches, -1, dtype=torch.int8)
        labels[best < self.negative_iou] = 0
        labels[(best >= self.positive_iou) | (taken >= 0)] = 1
        return torch.where(taken >= 0, taken, matches), labels

    def similarity(self, truth: Tensor, anchors: Tensor) -> Tensor:
        """IoU (n, M) of objects (n, 4) and anchors (M, 4); a derived class may have another.

        A part of its rows has to have the bits of the whole.
        """
        return pairwise_iou(Boxes(truth), Boxes(anchors))
