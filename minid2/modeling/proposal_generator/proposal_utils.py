"""From scored boxes to proposals.

Shapes: B images, L levels, R boxes on a level (each its own), K of them kept before the NMS.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch

from ...layers import batched_nms
from ...structures import Boxes, Instances

# A ground-truth box poses as a proposal of probability 1 - 1e-10.
_CERTAIN_LOGIT = math.log((1.0 - 1e-10) / (1.0 - (1.0 - 1e-10)))


def select_top(logits: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores and positions, both (..., K), of the `count` highest of each row (..., R)."""
    available = logits.shape[-1]
    if isinstance(available, torch.Tensor):  # while tracing a size is a tensor
        return logits.topk(torch.clamp(available, max=count), dim=-1)
    return logits.topk(min(available, count), dim=-1)


def gather_rows(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Rows `index` (B, K) of `values` (B, R, D), as (B, K, D)."""
    return values.gather(1, index.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


def find_top_rpn_proposals(
    proposals: list[torch.Tensor],
    pred_objectness_logits: list[torch.Tensor],
    image_sizes: Sequence[Any],
    nms_thresh: float,
    pre_nms_topk: int,
    post_nms_topk: int,
    min_box_size: float,
    training: bool,
) -> list[Instances]:
    """Clip, drop the too small, suppress within each level, and keep the best of each image.

    Args:
        proposals, pred_objectness_logits: L tensors (B, R, 4), decoded boxes, and L (B, R).
        image_sizes: B times (height, width), a tuple or, while tracing, a tensor.
        nms_thresh: IoU over which the lower scored box goes.
        pre_nms_topk, post_nms_topk: boxes a level that go into the NMS; proposals an image.
        min_box_size: a side must be longer than this, in pixels.
        training: raise on numbers that are not finite. Otherwise such boxes are dropped.

    Returns:
        B `Instances` with `proposal_boxes` and `objectness_logits`, highest logit first.

    Raises:
        FloatingPointError: see `training`.
    """
    boxes, scores = list(proposals), list(pred_objectness_logits)
    for place, logits in enumerate(scores):
        # The RPN selects before it decodes. A trace selects always: it knows one length only.
        if torch.jit.is_tracing() or logits.shape[1] > pre_nms_topk:
            scores[place], index = select_top(logits, pre_nms_topk)
            boxes[place] = gather_rows(boxes[place], index)
    # Arithmetic on a score row, not torch.full: a trace must not fix lengths or the device.
    levels = torch.cat([level[0].long() * 0 + i for i, level in enumerate(scores)])
    joined_boxes, joined_scores = torch.cat(boxes, dim=1), torch.cat(scores, dim=1)
    finite = joined_boxes.isfinite().all(dim=2) & joined_scores.isfinite()
    if training and not finite.all():
        raise FloatingPointError(
            "the RPN predicted boxes or scores that are infinite or NaN: training has diverged. "
            "Lower SOLVER.BASE_LR, lengthen SOLVER.WARMUP_ITERS or enable SOLVER.CLIP_GRADIENTS, "
            "and check the data for broken boxes"
        )
    # A box without area never survives the size filter, so this needs no filter of its own.
    joined_boxes = joined_boxes.masked_fill(~finite.unsqueeze(-1), 0.0)
    results = []
    for image, size in enumerate(image_sizes):
        candidates = Boxes(joined_boxes[image])
        candidates.clip(size)
        large = candidates.nonempty(threshold=min_box_size)
        candidates, logits = candidates[large], joined_scores[image][large]
        kept = batched_nms(candidates.tensor, logits, levels[large], nms_thresh)[:post_nms_topk]
        found = Instances(size, proposal_boxes=candidates, objectness_logits=logits)
        results.append(found[kept])
    return results


def add_ground_truth_to_proposals(
    gt: Sequence[Instances | Boxes], proposals: list[Instances]
) -> list[Instances]:
    """`add_ground_truth_to_proposals_single_image` for every image."""
    return [
        add_ground_truth_to_proposals_single_image(truth, found)
        for truth, found in zip(gt, proposals, strict=True)
    ]


def add_ground_truth_to_proposals_single_image(
    gt: Instances | Boxes, proposals: Instances
) -> Instances:
    """Append the true boxes to the proposals, as proposals that are all but certain.

    Without it no proposal overlaps the objects at the start of training, and the heads would
    see no positives.

    Raises:
        AssertionError: if the proposals have a field that the ground truth lacks.
    """
    boxes = gt if isinstance(gt, Boxes) else gt.gt_boxes
    extra = Instances(proposals.image_size, **({} if isinstance(gt, Boxes) else gt.get_fields()))
    extra.proposal_boxes = boxes
    device = proposals.objectness_logits.device
    extra.objectness_logits = torch.full((len(boxes),), _CERTAIN_LOGIT, device=device)
    for name in proposals.get_fields():
        assert extra.has(name), f"the proposals have a field '{name}' that the ground truth lacks"
    return Instances.cat([proposals, extra])
