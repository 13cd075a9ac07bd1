"""PAA's labels: anchors that overlap an object, their losses, and a mixture of two Gaussians.

Shape shorthand: P anchors that may become positive, over a batch; k anchors of lowest loss a level.
"""

import torch
from torch import Tensor

from d2freq.modeling.assignment.max_iou import MaxIoUAssigner
from d2freq.modeling.assignment.ranking import check_topk
from d2freq.modeling.detectors.paa.mixture import foreground_of_mixture

__all__ = ["choose_positives", "overlapping"]

LEAST_OVERLAP = 1e-9  # of an object's best anchor; at 0 an object between anchors would take all


def overlapping(truth: Tensor, anchors: Tensor, *, threshold: float = 0.1) -> Tensor:
    """The object of each anchor that overlaps one enough, or is the best of one.

    Args:
        truth: (N, 4) XYXY in pixels.
        anchors: (R, 4).
        threshold: overlap (IoU).

    Returns:
        (R,) int64, -1 elsewhere.
    """
    matches, labels = MaxIoUAssigner(
        positive_iou=threshold, negative_iou=threshold, min_positive_iou=LEAST_OVERLAP
    )(truth, anchors)
    return torch.where(labels == 1, matches, -1)


@torch.no_grad()
def choose_positives(losses: Tensor, objects: Tensor, levels: Tensor, *, topk: int = 9) -> Tensor:
    """Which anchors stay positive; all others become background.

    Of an object's anchors the ``topk`` of lowest loss on each level are candidates, and
    :func:`foreground_of_mixture` chooses among those. An object with a single one has none.

    Args:
        losses: (P,) of class and box, with the weights of now.
        objects: (P,) int64, numbered over the batch.
        levels: (P,) int64.
        topk: k.

    Returns:
        (P,) bool.

    Raises:
        UserError: ``topk`` is no whole number from 1 on.
    """
    check_topk(topk, "MODEL.PAA.TOPK")
    chosen = torch.zeros_like(losses, dtype=torch.bool)
    if len(losses) == 0:
        return chosen
    order = losses.argsort(stable=True)
    by_level = order[levels[order].argsort(stable=True)]
    by_level = by_level[objects[by_level].argsort(stable=True)]
    runs = objects[by_level] * (levels.max() + 1) + levels[by_level]
    candidates = by_level[_rank_in_run(runs) < topk]
    # the lowest first again, over all levels
    candidates = candidates[losses[candidates].argsort(stable=True)]
    candidates = candidates[objects[candidates].argsort(stable=True)]
    owners = objects[candidates]
    place = _rank_in_run(owners)
    row = (place == 0).cumsum(dim=0) - 1
    table = losses.new_zeros(int(row[-1]) + 1, int(place.max()) + 1)
    there = torch.zeros_like(table, dtype=torch.bool)
    table[row, place] = losses[candidates]
    there[row, place] = True
    positive = foreground_of_mixture(table, there) & (there.sum(dim=1, keepdim=True) > 1)
    chosen[candidates] = positive[row, place]
    return chosen


def _rank_in_run(values: Tensor) -> Tensor:
    """0, 1, 2 and so on along each run of equal values."""
    place = torch.arange(len(values), device=values.device)
    begins = torch.ones_like(values, dtype=torch.bool)
    begins[1:] = values[1:] != values[:-1]
    first = place[begins]
    return place - first[begins.cumsum(dim=0) - 1]
