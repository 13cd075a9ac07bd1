"""Detections of what the last decoder layer says: no suppression, as each object has one query.

Shapes: N images, Q queries, K classes, n detections of an image.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.modeling.postprocessing import detector_postprocess
from detectron2.structures import Boxes, Instances
from torch import Tensor

from d2freq.modeling.detectors.dino.boxes import corners
from d2freq.modeling.detectors.dino.outputs import Predictions

__all__ = ["best_of", "detections", "in_pixels_of_records"]


def best_of(predictions: Predictions, sizes: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The highest of all queries' class probabilities; a query may be there with several classes.

    Args:
        predictions: logits (N, Q, K) and boxes (N, Q, 4).
        sizes: (N, 2) float, width and height of each image in pixels.
        count: n, at most Q K.

    Returns:
        boxes (N, n, 4) XYXY in pixels, clipped to the image; scores (N, n), falling; and classes
        (N, n) int64.
    """
    kinds = predictions.logits.shape[-1]
    scores, places = predictions.logits.sigmoid().flatten(1).topk(count, dim=1)
    query = torch.div(places, kinds, rounding_mode="floor")
    boxes = predictions.boxes.gather(1, query.unsqueeze(-1).expand(-1, -1, 4))
    limit = sizes.repeat(1, 2).unsqueeze(1)
    boxes = torch.minimum((corners(boxes) * limit).clamp(min=0), limit)
    return boxes, scores, places - query * kinds


def detections(
    predictions: Predictions,
    sizes: Tensor,
    image_sizes: list[tuple[int, int]],
    *,
    count: int,
    threshold: float = 0.0,
) -> list[Instances]:
    """N `Instances` with `pred_boxes`, `scores` and `pred_classes`, highest score first.

    Args:
        predictions, sizes, count: see :func:`best_of`.
        image_sizes: (height, width) of each image.
        threshold: detections score higher.
    """
    found = []
    rows = zip(*best_of(predictions, sizes, count), image_sizes, strict=True)
    for boxes, scores, classes, size in rows:
        kept = scores > threshold
        instances = Instances(size)
        instances.pred_boxes = Boxes(boxes[kept])
        instances.scores = scores[kept]
        instances.pred_classes = classes[kept]
        found.append(instances)
    return found


def in_pixels_of_records(
    found: list[Instances],
    records: list[dict[str, Any]],
    image_sizes: Sequence[tuple[int, int]],
) -> list[dict[str, Instances]]:
    """N dicts with "instances", scaled from an image's size to its record's "height" and "width".

    Args:
        found: of each image.
        records: those without the two keep the image's size.
        image_sizes: (height, width) of each image as the model has seen it.
    """
    sizes = [
        (record.get("height", size[0]), record.get("width", size[1]))
        for record, size in zip(records, image_sizes, strict=True)
    ]
    return [
        {"instances": detector_postprocess(each, *size)}
        for each, size in zip(found, sizes, strict=True)
    ]
