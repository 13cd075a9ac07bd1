"""Dense detectors as a function of a batch, so that a trace serves any number of pictures.

Shape shorthand: B pictures, L levels, R anchors or points of a level, n candidates of a picture on
all levels, D detections of it, K classes.
"""

from typing import Any

import torch
from detectron2.modeling.meta_arch import RetinaNet
from detectron2.modeling.meta_arch.fcos import FCOS as PlainFCOS
from torch import Tensor, nn

from d2freq.engine.export.rows import NOTHING, best, gather_rows, is_there, suppress
from d2freq.engine.export.same import acts_as
from d2freq.modeling.detectors.atss import ATSS
from d2freq.modeling.detectors.auto_assign import AutoAssign
from d2freq.modeling.detectors.fcos import FCOS
from d2freq.modeling.detectors.paa import PAA
from d2freq.modeling.detectors.paa.voting import LEAST_OVERLAP, SPREAD

__all__ = ["detect_densely", "is_dense"]

METHODS = ("forward", "preprocess_image", "forward_inference")
SINGLE = "inference_single_image"  # of those that infer picture by picture


def is_dense(model: nn.Module) -> bool:
    """Whether ``detect_densely`` does what the model does."""
    by_picture = any(
        acts_as(model, kind, *METHODS, SINGLE) for kind in (RetinaNet, PlainFCOS, FCOS)
    )
    return by_picture or any(acts_as(model, kind, *METHODS) for kind in (ATSS, PAA, AutoAssign))


def detect_densely(
    model: Any, features: dict[str, Tensor], limit: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Detections of a batch; see ``detect_in_two_stages``, whose arguments and results it has."""
    maps = [features[name] for name in model.head_in_features]
    kinds = model.num_classes
    anchors = model.anchor_generator(maps)
    published = getattr(model, "inference", "") == "published"  # a word in detectors of d2freq
    clips = published or isinstance(model, PAA)
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
        boxes.append(torch.minimum(decoded.clamp(min=0), limit) if clips else decoded)
        scores.append(top)
        classes.append(place - row * kinds)
    corners, joined, kind = (torch.cat(each, dim=1) for each in (boxes, scores, classes))
    own = kind[:, None] == torch.arange(kinds, device=kind.device)[:, None]  # (B, K, n)
    table = torch.where(own, joined[:, None], torch.full_like(joined[:, None], NOTHING))
    kept = suppress(corners, table, iou=model.test_nms_thresh).amax(dim=1)
    count = len(boxes) * model.test_topk_candidates
    found, place = best(kept, min(model.max_detections_per_image, count))
    chosen, classes_of = gather_rows(corners, place), kind.gather(1, place)
    if getattr(model, "score_voting", False):
        same = classes_of[..., None] == kind[:, None]
        chosen = _vote(chosen, corners, torch.where(same, joined[:, None], NOTHING))
    return chosen, found, classes_of


def _vote(boxes: Tensor, candidates: Tensor, scores: Tensor) -> Tensor:
    """PAA's score voting, of all detections at once; see d2freq.modeling.detectors.paa.voting.

    Args:
        boxes: (B, D, 4).
        candidates: (B, n, 4).
        scores: (B, D, n), NOTHING for candidates of another class.
    """
    one, other = boxes[:, :, None], candidates[:, None]
    sides = torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(
        one[..., :2], other[..., :2]
    )
    common = sides.clamp(min=0).prod(dim=-1)
    areas = [(each[..., 2:] - each[..., :2]).prod(dim=-1) for each in (one, other)]
    union = areas[0] + areas[1] - common
    overlaps = torch.where(common > 0, common / union, torch.zeros_like(common))
    weights = torch.exp(-((1 - overlaps).square()) / SPREAD) * scores.clamp(min=0)
    weights = torch.where(overlaps > LEAST_OVERLAP, weights, torch.zeros_like(weights))
    total = weights.sum(dim=2, keepdim=True)
    return torch.where(total > 0, weights @ candidates / total.clamp(min=1e-12), boxes)


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
