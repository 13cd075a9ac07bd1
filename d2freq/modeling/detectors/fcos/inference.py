"""Detections of FCOS as published baselines take them: chosen by class, then weighed by centerness.

Shapes: R points of a level, K classes, D candidates.
"""

from collections.abc import Callable
from typing import Any

from detectron2.layers import batched_nms
from detectron2.structures import Boxes, ImageList, Instances
from torch import Tensor

__all__ = ["candidates_by_probability", "detect_by_probability", "suppress"]


def detect_by_probability(
    model: Any, images: ImageList, features: list[Tensor], predictions: list[list[Tensor]]
) -> list[Instances]:
    """Detections of each of B images, highest score first.

    Args:
        model: an FCOS, or another detector with one prior a cell and its attributes:
            anchor_generator, box2box_transform, score and those of test time.
        features: L maps (B, C, H_i, W_i).
        predictions: logits, deltas and centerness, each L tensors (B, K or 4 or 1, H_i, W_i).
    """
    anchors = model.anchor_generator(features)
    rows = [[level.flatten(2).transpose(1, 2) for level in levels] for levels in predictions]
    found = []
    for place, image_size in enumerate(images.image_sizes):
        candidates = [
            candidates_by_probability(
                points,
                *(part[place] for part in level),
                decode=model.box2box_transform.apply_deltas,
                threshold=model.test_score_thresh,
                topk=model.test_topk_candidates,
                root=model.score == "root",
                image_size=image_size,
            )
            for points, *level in zip(anchors, *rows, strict=True)
        ]
        joined = Instances.cat(candidates)
        found.append(suppress(joined, model.test_nms_thresh, model.max_detections_per_image))
    return found


def candidates_by_probability(
    points: Boxes,
    logits: Tensor,
    deltas: Tensor,
    centerness: Tensor,
    *,
    decode: Callable[[Tensor, Tensor], Tensor],
    threshold: float,
    topk: int,
    root: bool,
    image_size: tuple[int, int],
) -> Instances:
    """The best candidates of one level of one image, boxes clipped to the image.

    Threshold and ranking go by the probability of the class, so a candidate's score may end below
    the threshold.

    Args:
        points: R squares.
        logits: (R, K).
        deltas: (R, 4).
        centerness: (R, 1), logits.
        decode: deltas (D, 4) and points (D, 4) to boxes (D, 4).
        threshold: of the probability, which has to be higher.
        topk: at most so many candidates.
        root: the score is the root of probability times centerness, not the product.
        image_size: (height, width) of the image in the network's input.

    Returns:
        `Instances` of at most ``topk`` with `pred_boxes`, `scores` and `pred_classes`.
    """
    probability = logits.sigmoid()
    confident = probability > threshold
    highest, order = probability[confident].sort(descending=True)
    point, category = confident.nonzero()[order[:topk]].unbind(dim=1)
    scores = highest[:topk] * centerness[point, 0].sigmoid()
    boxes = Boxes(decode(deltas[point], points.tensor[point]))
    boxes.clip(image_size)
    return Instances(
        image_size,
        pred_boxes=boxes,
        scores=scores.sqrt() if root else scores,
        pred_classes=category,
    )


def suppress(candidates: Instances, nms_threshold: float, limit: int) -> Instances:
    """At most ``limit`` of the candidates, those that NMS within each class keeps, best first."""
    kept = batched_nms(
        candidates.pred_boxes.tensor, candidates.scores, candidates.pred_classes, nms_threshold
    )
    return candidates[kept[:limit]]
