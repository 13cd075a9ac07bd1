"""ATSS: anchors near an object's centre whose overlap stands out among their like.

Source: Zhang et al., CVPR 2020, "Bridging the Gap Between Anchor-based and Anchor-free Detection
via Adaptive Training Sample Selection", Algorithm 1.

Shape shorthand: N objects, R anchors over all levels, k candidates a level, C over all levels.

A box of a few pixels may hold no anchor's centre. Such an object has no anchor and is lost, in the
published rule as here; HS-FPN's and SET's tables on AI-TOD have ATSS as it is.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from d2freq.modeling.assignment.ranking import check_finite, check_topk
from d2freq.modeling.detectors.dense.cells import Grid, nearest_cells
from d2freq.ops.box_losses import aligned_iou

__all__ = ["assign_adaptively"]

INSIDE = 0.01  # pixels: how far inside its object a positive anchor's centre lies at least


@torch.no_grad()
def assign_adaptively(
    truth: Tensor, anchors: Tensor, grids: Sequence[Grid], *, topk: int = 9
) -> Tensor:
    """The object of each anchor.

    On each level the ``topk`` anchors nearest to an object's centre are its candidates. It takes
    those whose overlap (IoU) with it is at least the mean plus the standard deviation of the
    candidates' of all levels, and whose centre lies inside it. An anchor that several objects take
    belongs to the one that it overlaps most, the first among equals.

    Memory is a few hundred bytes an object and candidate, however many anchors there are.

    Args:
        truth: (N, 4) XYXY in pixels.
        anchors: (R, 4), one a cell, level after level.
        grids: the levels, R cells in all.
        topk: k; a level of fewer cells has all of them as candidates.

    Returns:
        (R,) int64, -1 for the background. A single candidate has no deviation: nothing is positive.

    Raises:
        UserError: a coordinate of an object is NaN or infinite, or ``topk`` is no number from 1 on.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.atss import assign_adaptively
        >>> from d2freq.modeling.detectors.dense.cells import Grid
        >>> centres = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0)).flip(1) * 8
        >>> anchors = torch.cat([centres - 16, centres + 16], dim=1)
        >>> owners = assign_adaptively(torch.tensor([[14.0, 14, 34, 30]]), anchors, [Grid(8, 8, 8)])
        >>> owners.ge(0).nonzero()[:, 0].tolist()  # column 3 of rows 2 and 3 is at (24, 16 and 24)
        [19, 27]
    """
    check_topk(topk, "MODEL.ATSS.TOPK")
    owners = torch.full((len(anchors),), -1, dtype=torch.int64, device=anchors.device)
    if len(truth) == 0:
        return owners
    check_finite(truth)
    centres = (truth[:, :2] + truth[:, 2:]) / 2
    found, first = [], 0
    for grid in grids:
        found.append(nearest_cells(centres, grid, topk) + first)
        first += grid.cells
    candidates = torch.cat(found, dim=1)  # (N, C)
    count = candidates.shape[1]
    if count == 1:
        return owners
    near = anchors[candidates]  # (N, C, 4)
    overlaps = aligned_iou(near.flatten(0, 1), truth.repeat_interleave(count, dim=0))
    overlaps = overlaps.unflatten(0, (-1, count))
    least = overlaps.mean(dim=1) + overlaps.std(dim=1)  # unbiased, as published
    middle = (near[..., :2] + near[..., 2:]) / 2
    sides = torch.cat([middle - truth[:, None, :2], truth[:, None, 2:] - middle], dim=2)
    takes = (overlaps >= least[:, None]) & (sides.amin(dim=2) > INSIDE)
    taker, place = takes.nonzero().unbind(dim=1)
    anchor, overlap = candidates[taker, place], overlaps[taker, place]
    best = overlap.new_full(owners.shape, -1).scatter_reduce(0, anchor, overlap, "amax")
    holds = overlap == best[anchor]
    nobody = torch.full_like(owners, len(truth))
    winner = nobody.scatter_reduce(0, anchor[holds], taker[holds], "amin")
    return torch.where(winner < len(truth), winner, owners)
