"""AutoAssign's three losses, over pairs of a point and an object.

Source: Zhu et al., 2020, Sec. 3.4 and 3.5, Eq. 4 to 8.

Shape shorthand: B images, R points over all levels, K classes, N objects of the batch, P pairs.
"""

import torch
from detectron2.structures import Boxes, pairwise_iou
from torch import Tensor
from torch.nn import functional as F

from d2freq.modeling.detectors.auto_assign.pairs import Pairs

__all__ = ["best_overlaps", "center_loss", "negative_loss", "positive_loss"]

SHARPNESS = 3.0  # of the weight of a confident point, Eq. 6
EPSILON = 1e-12
PAIRS_PER_CHUNK = 2**22


def positive_loss(confidence: Tensor, prior: Tensor, pairs: Pairs) -> Tensor:
    """Sum over the objects of the cross-entropy of their points' weighted confidence.

    A point weighs exp(3 x confidence) times its prior, over the sum of its object's; weights have a
    gradient. An object without a point has confidence 0: 100, torch's limit, without a gradient.

    Args:
        confidence: (P,) probability of the object's class, objectness and exp(-5 x box loss), as a
            product.
        prior: (P,).
    """
    weight = torch.exp(SHARPNESS * confidence) * prior
    total = weight.new_zeros(len(pairs.boxes)).index_add(0, pairs.object, weight)
    share = weight / total.clamp(min=EPSILON)[pairs.object]
    joint = torch.zeros_like(total).index_add(0, pairs.object, confidence * share)
    # rounding may lift a mean of numbers of at most 1 above 1
    joint = joint.clamp(max=1)
    return F.binary_cross_entropy(joint, torch.ones_like(joint), reduction="sum")


def negative_loss(joint: Tensor, overlaps: Tensor, pairs: Pairs) -> Tensor:
    """Sum over all points and classes of q^2 x cross-entropy of q, which should be 0.

    q is class probability times objectness, of points within an object less for its class the
    better their box: by nothing for its worst, by all for its best. Within several objects of a
    class the last counts, as published.

    Args:
        joint: (B, R, K) class probability times objectness.
        overlaps: (P,) IoU of the pair's decoded box with the object that it overlaps most.
    """
    with torch.no_grad():
        value = 1 / (1 - overlaps).clamp(min=EPSILON)
        count = len(pairs.boxes)
        lowest = value.new_full((count,), torch.inf).scatter_reduce(0, pairs.object, value, "amin")[
            pairs.object
        ]
        highest = value.new_zeros(count).scatter_reduce(0, pairs.object, value, "amax")[
            pairs.object
        ]
        share = (value - lowest + EPSILON) / (highest - lowest + EPSILON)
        images, points, classes = joint.shape
        place = (pairs.image * points + pairs.point) * classes + pairs.classes[pairs.object]
        last = torch.full((images * points * classes,), -1, device=joint.device)
        last = last.scatter_reduce(0, place, pairs.object, "amax")
        counts = last[place] == pairs.object
        weight = joint.new_ones(images * points * classes)
        weight[place[counts]] = 1 - share[counts]
    q = joint * weight.view_as(joint)
    losses = F.binary_cross_entropy(q, torch.zeros_like(q), reduction="none")
    return (q.square() * losses).sum()


def center_loss(prior: Tensor, pairs: Pairs, images: int) -> Tensor:
    """Mean over the images of objects over the sum of their points' prior; 0 without points.

    Args:
        prior: (P,).
        images: B.
    """
    total = prior.new_zeros(images).index_add(0, pairs.image, prior)
    objects = torch.bincount(pairs.images, minlength=images)
    some = torch.bincount(pairs.image, minlength=images) > 0
    return (objects[some] / total[some].clamp(min=EPSILON)).sum() / images


@torch.no_grad()
def best_overlaps(boxes: Tensor, pairs: Pairs) -> Tensor:
    """IoU of each pair's box with the object of its image that it overlaps most.

    Args:
        boxes: (P, 4) decoded at the pairs' points.

    Returns:
        (P,). A point's is found once, in chunks: a crowd's matrix would not fit.
    """
    best = boxes.new_zeros(len(boxes))
    for image in pairs.images.unique().tolist():
        truth = Boxes(pairs.boxes[pairs.images == image])
        mine = (pairs.image == image).nonzero()[:, 0]
        points, place = pairs.point[mine].unique(return_inverse=True)
        once = boxes.new_empty(len(points), 4)
        once[place] = boxes[mine]  # pairs of one point have one box
        rows = max(1, PAIRS_PER_CHUNK // len(truth))
        highest = [pairwise_iou(Boxes(some), truth).amax(dim=1) for some in once.split(rows)]
        best[mine] = torch.cat(highest)[place]
    return best
