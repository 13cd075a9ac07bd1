"""RetinaNet and FCOS as a function of a batch, so that a trace serves any number of pictures.

Shape shorthand: B pictures, L levels, R anchors or points of a level, n candidates of a picture on
all levels, K classes.
"""

from typing import Any

import torch
from detectron2.modeling.meta_arch import RetinaNet
from detectron2.modeling.meta_arch.fcos import FCOS as PlainFCOS
from torch import Tensor, nn

from d2freq.engine.export.rows import NOTHING, best, gather_rows, is_there, suppress
from d2freq.engine.export.same import acts_as
from d2freq.modeling.detectors.fcos import FCOS

__all__ = ["detect_densely", "is_dense"]

METHODS = ("forward", "preprocess_image", "forward_inference", "inference_single_image")


def is_dense(model: nn.Module) -> bool:
    """Whether ``detect_densely`` does what the model does."""
    return any(acts_as(model, kind, *METHODS) for kind in (RetinaNet, PlainFCOS, FCOS))


def detect_densely(
    model: Any, features: dict[str, Tensor], limit: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Detections of a batch; see ``detect_in_two_stages``, whose arguments and results it has."""
    maps = [features[name] for name in model.head_in_features]
    kinds = model.num_classes
    anchors = model.anchor_generator(maps)
    published = getattr(model, "inference", "") == "published"  # a word in FCOS of d2freq
    boxes, scores, classes = [], [], []
    for anchor, *predictions in zip(anchors, *model.head(maps), strict=True):
        logits = _by_anchor(predictions[0], kinds)
        deltas = _by_anchor(predictions[1], 4)
        centerness = [_by_anchor(each, 1) for each in predictions[2:]]  # of FCOS alone
        centre = centerness[0].sigmoid() if centerness else None
        ranked = logits.sigmoid()
        if centre is not None and not published:
            ranked = (ranked * centre).sqrt()
            if getattr(model, "score", "root") == "product":
                ranked = ranked.square()
        confident = ranked > model.test_score_thresh
        ranked = torch.where(confident, ranked, torch.full_like(ranked, NOTHING))
        top, place = best(ranked.flatten(1), model.test_topk_candidates)
        row = torch.div(place, kinds, rounding_mode="floor")
        if centre is not None and published:
            top = _weigh(top, gather_rows(centre, row)[..., 0], root=model.score == "root")
        chosen = gather_rows(deltas, row).reshape(-1, 4)
        decoded = model.box2box_transform.apply_deltas(chosen, anchor.tensor[row.flatten()])
        decoded = decoded.reshape(-1, model.test_topk_candidates, 4)
        boxes.append(torch.minimum(decoded.clamp(min=0), limit) if published else decoded)
        scores.append(top)
        classes.append(place - row * kinds)
    corners, joined, kind = (torch.cat(each, dim=1) for each in (boxes, scores, classes))
    own = kind[:, None] == torch.arange(kinds, device=kind.device)[:, None]  # (B, K, n)
    table = torch.where(own, joined[:, None], torch.full_like(joined[:, None], NOTHING))
    kept = suppress(corners, table, iou=model.test_nms_thresh).amax(dim=1)
    count = len(boxes) * model.test_topk_candidates
    found, place = best(kept, min(model.max_detections_per_image, count))
    return gather_rows(corners, place), found, kind.gather(1, place)


def _weigh(probability: Tensor, centre: Tensor, *, root: bool) -> Tensor:
    """Scores of candidates that were chosen by their probability."""
    score = probability * centre
    there = is_there(probability)
    # the root of NOTHING is taken of zero
    score = torch.where(there, score, torch.zeros_like(score))
    return torch.where(there, score.sqrt() if root else score, torch.full_like(score, NOTHING))


def _by_anchor(prediction: Tensor, size: int) -> Tensor:
    """(B, A * size, H, W) -> (B, H * W * A, size), in the order of the anchors."""
    return prediction.permute(0, 2, 3, 1).reshape(prediction.shape[0], -1, size)
