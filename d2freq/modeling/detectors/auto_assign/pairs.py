"""Pairs of a point and an object, the only ones that AutoAssign's losses look at.

Shape shorthand: B images, R points over all levels, N objects of the batch, P pairs.

All pairs of 3,000 objects and the 53,294 points of an image of 800 pixels would be 160 million, of
which each number of a box has 2.5 GB; inside their boxes are those few that count.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from detectron2.structures import Instances
from torch import Tensor

from d2freq.modeling.assignment.ranking import check_finite
from d2freq.modeling.detectors.auto_assign.center_prior import CenterPrior
from d2freq.modeling.detectors.dense.cells import Grid, cells_inside

__all__ = ["Pairs", "find_pairs"]


class Pairs(NamedTuple):
    """P pairs over a batch, image after image and object after object.

    ``image``, ``point`` (of R) and ``object`` (of N) are (P,) int64; ``boxes`` (N, 4), ``classes``
    (N,) and ``images`` (N,) are of the objects.
    """

    image: Tensor
    point: Tensor
    object: Tensor
    boxes: Tensor
    classes: Tensor
    images: Tensor


@torch.no_grad()
def find_pairs(
    truth: Sequence[Instances],
    grids: Sequence[Grid],
    *,
    prior: CenterPrior,
    force_topk: bool = False,
    topk: int = 9,
) -> Pairs:
    """Each object with every point strictly inside its box, on all levels.

    Args:
        truth: B `Instances` with `gt_boxes` and `gt_classes`.
        force_topk: an object without a point inside has the ``topk`` of highest prior.

    Raises:
        UserError: a coordinate of an object is NaN or infinite.
    """
    images, points, objects, before = [], [], [], 0
    for place, found in enumerate(truth):
        boxes = found.gt_boxes.tensor
        check_finite(boxes)
        point, owner = _inside(boxes, grids)
        if force_topk and len(boxes):
            lost = torch.bincount(owner, minlength=len(boxes)).eq(0).nonzero()[:, 0]
            centres = (boxes[lost, :2] + boxes[lost, 2:]) / 2
            more, own = prior.highest(centres, found.gt_classes[lost], grids, topk)
            point, owner = torch.cat([point, more]), torch.cat([owner, lost[own]])
            order = owner.argsort(stable=True)
            point, owner = point[order], owner[order]
        points.append(point)
        objects.append(owner + before)
        images.append(torch.full_like(point, place))
        before += len(boxes)
    counts = torch.tensor([len(found) for found in truth], device=points[0].device)
    return Pairs(
        image=torch.cat(images),
        point=torch.cat(points),
        object=torch.cat(objects),
        boxes=torch.cat([found.gt_boxes.tensor for found in truth]),
        classes=torch.cat([found.gt_classes for found in truth]),
        images=torch.repeat_interleave(counts),
    )


def _inside(boxes: Tensor, grids: Sequence[Grid]) -> tuple[Tensor, Tensor]:
    """Points and objects of all levels, object after object and finest level first."""
    points, owners, first = [], [], 0
    for grid in grids:
        cell, owner = cells_inside(boxes, grid)
        points.append(cell + first)
        owners.append(owner)
        first += grid.cells
    point, owner = torch.cat(points), torch.cat(owners)
    order = owner.argsort(stable=True)
    return point[order], owner[order]
