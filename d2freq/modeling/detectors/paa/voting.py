"""Score voting: a detection's box is the mean of the candidates around it.

Source: Kim and Lee, ECCV 2020, Sec. 3.4, Eq. 10.

Shape shorthand: D detections, n candidates.
"""

import torch
from detectron2.structures import Boxes, Instances, pairwise_iou

__all__ = ["vote"]

SPREAD = 0.025  # sigma_t of Eq. 10
LEAST_OVERLAP = 0.01
PAIRS_PER_CHUNK = 2**22


@torch.no_grad()
def vote(detections: Instances, candidates: Instances) -> Instances:
    """The detections with other boxes; scores and classes stay.

    Each candidate of the class with an overlap (IoU) above 0.01 weighs its score times
    exp(-(1 - IoU)^2 / 0.025).

    Args:
        detections: D, what suppression left.
        candidates: n, what it was given: `pred_boxes`, `scores` and `pred_classes`.
    """
    boxes = detections.pred_boxes.tensor.clone()
    for kind in detections.pred_classes.unique().tolist():
        mine = (detections.pred_classes == kind).nonzero()[:, 0]
        voters = candidates[candidates.pred_classes == kind]
        rows = max(1, PAIRS_PER_CHUNK // max(1, len(voters)))
        for some in mine.split(rows):
            overlaps = pairwise_iou(Boxes(boxes[some]), voters.pred_boxes)
            weights = torch.exp(-((1 - overlaps).square()) / SPREAD) * voters.scores
            weights = weights * (overlaps > LEAST_OVERLAP)
            total = weights.sum(dim=1, keepdim=True)
            mean = weights @ voters.pred_boxes.tensor.to(weights) / total.clamp(min=1e-12)
            # a box without area overlaps nothing, not even itself
            boxes[some] = torch.where(total > 0, mean.to(boxes), boxes[some])
    moved = Instances(detections.image_size, **detections.get_fields())
    moved.pred_boxes = Boxes(boxes)
    return moved
