"""Detectron2's matching by overlaps (IoU) in chunks of objects, with the bits of the whole matrix.

Shape shorthand: N objects, M anchors.

3,000 objects on the 159,882 anchors of an image of 800 pixels are a matrix of 1.9 GB, of which
several live at once. What a `Matcher` keeps of it does not depend on a cut between objects: the
best object of an anchor is the first of the best of all chunks, and the best anchors of an object
lie in its own row.
"""

import copy

import torch
from detectron2.modeling.matcher import Matcher
from detectron2.structures import Boxes, pairwise_iou
from torch import Tensor

from d2freq.modeling.assignment.ranking import check_finite

__all__ = ["PAIRS_PER_CHUNK", "match_in_chunks"]

# 17 MB of float32 a matrix. The usual image of tiny objects, 20 of them on 160,000 anchors, is one
# chunk, so that it costs what it did.
PAIRS_PER_CHUNK = 2**22


@torch.no_grad()
def match_in_chunks(matcher: Matcher, truth: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
    """What ``matcher(pairwise_iou(truth, anchors))`` returns, in at most 400 MB of memory.

    Args:
        matcher: of Detectron2; its intervals, labels and "low quality matches" are followed.
        truth: (N, 4) XYXY in pixels; with none, all anchors have the label of the lowest interval.
        anchors: (M, 4) XYXY, on the same device; M may be 0.

    Returns:
        matches: (M,) int64 in [0, N), the object that each anchor overlaps most.
        labels: (M,) int8; 1 positive, 0 negative, -1 ignored.

    Raises:
        UserError: an object has a coordinate that is NaN or infinite.
    """
    count, total = len(truth), len(anchors)
    if count == 0 or total == 0:
        return matcher(truth.new_zeros(count, total))
    check_finite(truth)
    best = anchors.new_full((total,), -1.0)
    matches = torch.zeros(total, dtype=torch.int64, device=anchors.device)
    is_best = torch.zeros(total, dtype=torch.bool, device=anchors.device)
    rows = max(1, PAIRS_PER_CHUNK // total)
    for start in range(0, count, rows):
        overlaps = pairwise_iou(Boxes(truth[start : start + rows]), Boxes(anchors))
        highest, owner = overlaps.max(dim=0)
        better = highest > best  # not at a tie: the first object keeps the anchor
        best = torch.where(better, highest, best)
        matches = torch.where(better, owner + start, matches)
        if matcher.allow_low_quality_matches:
            is_best |= (overlaps == overlaps.amax(dim=1, keepdim=True)).any(dim=0)
    by_interval = copy.copy(matcher)
    by_interval.allow_low_quality_matches = False
    labels = by_interval(best[None])[1]
    labels[is_best] = 1
    return matches, labels
