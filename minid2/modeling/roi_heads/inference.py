"""From class scores and boxes a region to detections.

Shapes: N regions of an image, K classes; the last of K + 1 scores is the background's.
"""

from __future__ import annotations

import torch

from ...layers import batched_nms
from ...structures import Boxes, Instances


def fast_rcnn_inference(
    boxes: list[torch.Tensor],
    scores: list[torch.Tensor],
    image_shapes: list[tuple[int, int]],
    score_thresh: float,
    nms_thresh: float,
    topk_per_image: int,
) -> tuple[list[Instances], list[torch.Tensor]]:
    """`fast_rcnn_inference_single_image` for each image of a batch."""
    pairs = [
        fast_rcnn_inference_single_image(b, s, shape, score_thresh, nms_thresh, topk_per_image)
        for b, s, shape in zip(boxes, scores, image_shapes, strict=True)
    ]
    return [found for found, _ in pairs], [index for _, index in pairs]


def fast_rcnn_inference_single_image(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    image_shape: tuple[int, int],
    score_thresh: float,
    nms_thresh: float,
    topk_per_image: int,
) -> tuple[Instances, torch.Tensor]:
    """Threshold, suppress within each class, and keep the best.

    A region may give one detection for every class it scores high enough in. Regions with a
    number that is not finite give none.

    Args:
        boxes: (N, K * 4), or (N, 4) if one box serves all classes.
        scores: (N, K + 1) probabilities.
        image_shape: (height, width) to clip to.
        score_thresh: a score must be higher than this.
        nms_thresh: IoU over which the lower scored of two detections of a class goes.
        topk_per_image: most detections to return; negative for all.

    Returns:
        `Instances` with `pred_boxes`, `scores` and `pred_classes`, highest score first, and the
        region (M,) that each came from.
    """
    usable = boxes.isfinite().all(dim=1) & scores.isfinite().all(dim=1)
    confident = (scores[:, :-1] > score_thresh) & usable.unsqueeze(1)
    region, category = confident.nonzero().unbind(1)
    # Only the candidates are gathered and clipped, not all N * K boxes.
    choices = boxes.unflatten(1, (-1, 4))
    shared = choices.shape[1] == 1
    candidates = Boxes(choices[region, 0] if shared else choices[region, category])
    candidates.clip(image_shape)
    confidence = scores[region, category]
    kept = batched_nms(candidates.tensor, confidence, category, nms_thresh)
    if topk_per_image >= 0:
        kept = kept[:topk_per_image]
    result = Instances(image_shape)
    result.pred_boxes = candidates[kept]
    result.scores = confidence[kept]
    result.pred_classes = category[kept]
    return result, region[kept]
