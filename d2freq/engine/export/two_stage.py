"""Faster, Cascade and Grid R-CNN as a function of a batch: a trace serves any number of pictures.

Shape shorthand: B pictures of H x W, L levels, A anchors a location, n candidates of a level, P
proposals of a picture, N proposals of all pictures, K classes.

It is GeneralizedRCNN's own inference, its modules and its order, with pictures as an axis in the
place of a loop. ``is_two_stage`` says of which classes; others are left to their own code.
"""

from typing import Any

import torch
from detectron2.modeling.box_regression import Box2BoxTransform
from detectron2.modeling.meta_arch import GeneralizedRCNN
from detectron2.modeling.poolers import ROIPooler, assign_boxes_to_levels
from detectron2.modeling.proposal_generator import RPN
from detectron2.modeling.roi_heads import CascadeROIHeads, StandardROIHeads
from detectron2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers
from detectron2.structures import Boxes
from torch import Tensor, nn

from d2freq.engine.export.rows import NOTHING, best, gather_rows, is_there, suppress
from d2freq.engine.export.same import acts_as
from d2freq.modeling.detectors.cascade_rpn import CascadeRPN
from d2freq.modeling.detectors.grid_rcnn import BoxScoreLayer, GridROIHeads, decode_grid

__all__ = ["detect_in_two_stages", "is_two_stage"]


def is_two_stage(model: Any) -> bool:
    """Whether ``detect_in_two_stages`` does what the model does."""
    if not acts_as(model, GeneralizedRCNN, "forward", "inference", "preprocess_image"):
        return False
    rpn, heads = model.proposal_generator, model.roi_heads
    by_rpn = acts_as(rpn, RPN, "forward", "predict_proposals")
    if not by_rpn and not acts_as(rpn, CascadeRPN, "forward", "both_stages", "refine", "decode"):
        return False
    if isinstance(heads, CascadeROIHeads):
        methods = ("forward", "_forward_box", "_run_stage", "_create_proposals_from_boxes")
        known = acts_as(heads, CascadeROIHeads, *methods)
    elif isinstance(heads, GridROIHeads):
        known = acts_as(heads, GridROIHeads, "forward", "_forward_box", "moved")
    else:
        known = acts_as(heads, StandardROIHeads, "forward", "_forward_box")
    return (
        known
        and acts_as(heads.box_pooler, ROIPooler, "forward")
        and all(_is_plain(predictor) for _, predictor in _stages(heads))
    )


def detect_in_two_stages(
    model: Any, features: dict[str, Tensor], limit: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Detections of a batch.

    Args:
        model: for which ``is_two_stage``.
        features: of its backbone, (B, C, H / stride, W / stride) each.
        limit: (W, H, W, H) float32, of the pictures without padding.

    Returns:
        boxes (B, D, 4), scores (B, D), falling, and classes (B, D) int64; D is the most that a
        picture has. Where there are fewer the score is NOTHING.
    """
    proposals, logits = _propose(model.proposal_generator, features, limit)
    picture, place = is_there(logits).nonzero().unbind(1)
    heads = model.roi_heads
    boxes, scores = _classify(heads, features, proposals[picture, place], picture, limit)
    predictor = _stages(heads)[-1][1]
    usable = boxes.isfinite().all(dim=1) & scores.isfinite().all(dim=1)
    scores = scores[:, :-1]
    confident = (scores > predictor.test_score_thresh) & usable.unsqueeze(1)
    scores = torch.where(confident, scores, torch.full_like(scores, NOTHING))
    boxes = torch.where(usable.unsqueeze(1), boxes, torch.zeros_like(boxes))
    boxes = _clip(boxes.reshape(-1, boxes.shape[1] // 4, 4), limit)

    # back from a list of proposals to a table with a row of P places a picture
    count, kinds, choices = logits.shape[1], predictor.num_classes, boxes.shape[1]
    table = logits[:, :, None].expand(-1, -1, kinds) * 0 + NOTHING
    table = table.index_put((picture, place), scores).transpose(1, 2)  # (B, K, P)
    corners = proposals[:, :, None].expand(-1, -1, choices, -1) * 0
    corners = corners.index_put((picture, place), boxes).transpose(1, 2)  # (B, K or 1, P, 4)
    if choices == kinds:  # a box for each class
        rows = corners.reshape(-1, count, 4)
        kept = suppress(rows, table.reshape(-1, 1, count), iou=predictor.test_nms_thresh)
    else:
        kept = suppress(corners[:, 0], table, iou=predictor.test_nms_thresh)
    most = predictor.test_topk_per_image
    most = kinds * count if most < 0 else min(most, kinds * count)
    found, order = best(kept.reshape(-1, kinds * count), most)
    classes = torch.div(order, count, rounding_mode="floor")
    row = order if choices == kinds else order - classes * count
    chosen = gather_rows(corners.reshape(-1, choices * count, 4), row)
    if isinstance(heads, GridROIHeads):
        chosen = _move(heads, features, chosen, is_there(found))
    return chosen, found, classes


def _move(heads: Any, features: dict[str, Tensor], boxes: Tensor, there: Tensor) -> Tensor:
    """Boxes (B, D, 4) where Grid R-CNN's points lie; those that are not `there` (B, D) stay."""
    maps = [features[name] for name in heads.box_in_features]
    picture, place = there.nonzero().unbind(1)
    regions = boxes[picture, place]
    logits, _ = heads.grid_head(_pool(heads.grid_pooler, maps, regions, picture))
    moved = decode_grid(logits, regions, heads.grid_head.grid)
    return boxes.index_put((picture, place), moved)


def _propose(rpn: Any, features: dict[str, Tensor], limit: Tensor) -> tuple[Tensor, Tensor]:
    """Proposals (B, P, 4) and their logits (B, P), falling."""
    maps = [features[name] for name in rpn.in_features]
    anchors = rpn.anchor_generator(maps)
    before = rpn.pre_nms_topk[False]
    boxes, scores = [], []
    if isinstance(rpn, CascadeRPN):
        priors = [level.tensor for level in anchors]
        _, refined, all_logits, all_deltas = rpn.both_stages(maps, priors, limit)
        for found, logits in zip(rpn.decode(1, all_deltas, refined), all_logits, strict=True):
            top, place = best(logits, before)
            boxes.append(gather_rows(found, place))
            scores.append(top)
        return _suppressed(rpn, boxes, scores, limit)
    for anchor, logits, deltas in zip(anchors, *rpn.rpn_head(maps), strict=True):
        top, place = best(logits.permute(0, 2, 3, 1).flatten(1), before)
        rows = deltas.permute(0, 2, 3, 1).reshape(deltas.shape[0], -1, 4)
        chosen = gather_rows(rows, place).reshape(-1, 4)
        decoded = rpn.box2box_transform.apply_deltas(chosen, anchor.tensor[place.flatten()])
        boxes.append(decoded.reshape(-1, before, 4))
        scores.append(top)
    return _suppressed(rpn, boxes, scores, limit)


def _suppressed(
    rpn: Any, boxes: list[Tensor], scores: list[Tensor], limit: Tensor
) -> tuple[Tensor, Tensor]:
    """Proposals of L tables of candidates, (B, n, 4) and (B, n); see ``_propose``."""
    before, after = rpn.pre_nms_topk[False], rpn.post_nms_topk[False]
    corners, logits = torch.stack(boxes, dim=1), torch.stack(scores, dim=1)  # (B, L, n, 4 or none)
    finite = corners.isfinite().all(dim=-1) & logits.isfinite()
    corners = _clip(torch.where(finite.unsqueeze(-1), corners, torch.zeros_like(corners)), limit)
    sides = corners[..., 2:] - corners[..., :2]
    large = finite & (sides > rpn.min_box_size).all(dim=-1)
    logits = torch.where(large, logits, torch.full_like(logits, NOTHING))
    levels = len(boxes)
    kept = suppress(
        corners.reshape(-1, before, 4), logits.reshape(-1, 1, before), iou=rpn.nms_thresh
    )
    found, place = best(kept.reshape(-1, levels * before), min(after, levels * before))
    return gather_rows(corners.reshape(-1, levels * before, 4), place), found


def _classify(
    heads: Any, features: dict[str, Tensor], boxes: Tensor, picture: Tensor, limit: Tensor
) -> tuple[Tensor, Tensor]:
    """Boxes (N, 4 or K * 4) and probabilities (N, K + 1) of proposals (N, 4), after every stage."""
    maps = [features[name] for name in heads.box_in_features]
    scores = []
    stages = _stages(heads)
    for number, (head, predictor) in enumerate(stages):
        if number > 0:
            boxes = _clip(boxes, limit)
        found = predictor(head(_pool(heads.box_pooler, maps, boxes, picture)))
        if isinstance(predictor, BoxScoreLayer):  # boxes stay those of the proposals
            return boxes, found.softmax(dim=-1)
        logits, deltas = found
        scores.append(logits.softmax(dim=-1))
        boxes = predictor.box2box_transform.apply_deltas(deltas, boxes)
    return boxes, sum(scores[1:], scores[0]) / len(stages)


def _pool(pooler: Any, maps: list[Tensor], boxes: Tensor, picture: Tensor) -> Tensor:
    """Features (N, C, p, q) of boxes (N, 4), each from the level of its size."""
    regions = torch.cat([picture[:, None].to(boxes.dtype), boxes], dim=1)
    if len(maps) == 1:
        return pooler.level_poolers[0](maps[0], regions)
    levels = assign_boxes_to_levels(
        [Boxes(boxes)],
        pooler.min_level,
        pooler.max_level,
        pooler.canonical_box_size,
        pooler.canonical_level,
    )
    pooled, places = [], []
    for level, (feature, pool) in enumerate(zip(maps, pooler.level_poolers, strict=True)):
        place = (levels == level).nonzero()[:, 0]
        pooled.append(pool(feature, regions[place]))
        places.append(place)
    return torch.cat(pooled)[torch.cat(places).argsort()]


def _stages(heads: Any) -> list[tuple[Any, Any]]:
    """Box head and predictor of each stage."""
    if isinstance(heads.box_predictor, nn.ModuleList):
        return list(zip(heads.box_head, heads.box_predictor, strict=True))
    return [(heads.box_head, heads.box_predictor)]


def _is_plain(predictor: Any) -> bool:
    if isinstance(predictor, BoxScoreLayer):
        return acts_as(predictor, BoxScoreLayer, "forward", "inference")
    methods = ("forward", "inference", "predict_boxes", "predict_probs")
    return (
        acts_as(predictor, FastRCNNOutputLayers, *methods)
        and not getattr(predictor, "use_sigmoid_ce", False)
        and isinstance(predictor.box2box_transform, Box2BoxTransform)
    )


def _clip(boxes: Tensor, limit: Tensor) -> Tensor:
    """Boxes (..., 4) within (W, H, W, H)."""
    return torch.minimum(boxes.clamp(min=0), limit)
