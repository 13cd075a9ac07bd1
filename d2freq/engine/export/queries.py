"""DINO as a function of a batch, so that a trace serves any number of pictures."""

from typing import Any

import torch
from torch import Tensor

from d2freq.engine.export.rows import NOTHING
from d2freq.engine.export.same import acts_as
from d2freq.modeling.detectors.dino import DINO
from d2freq.modeling.detectors.dino.inference import best_of

__all__ = ["detect_by_queries", "is_by_queries"]


def is_by_queries(model: Any) -> bool:
    """Whether ``detect_by_queries`` does what the model does."""
    return acts_as(model, DINO, "forward", "preprocess_image", "predict")


def detect_by_queries(
    model: Any, features: dict[str, Tensor], limit: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Detections of a batch; see ``detect_in_two_stages``, whose arguments and results it has."""
    images = next(iter(features.values())).shape[0]
    sizes = limit[:2].expand(images, 2)
    padded = model.backbone.size_divisibility > 1 or bool(model.backbone.padding_constraints)
    outputs = model.predict(features, sizes, full=not padded)
    boxes, scores, classes = best_of(outputs.layers[-1], sizes, model.num_select)
    found = scores > model.score_thresh
    return boxes, torch.where(found, scores, torch.full_like(scores, NOTHING)), classes
