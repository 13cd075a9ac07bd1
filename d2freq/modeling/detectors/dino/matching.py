"""Which query answers for which object: the assignment of least cost, one to one.

N images, Q queries, K classes, G objects of the image that has most. Boxes are (cx, cy, w, h) as
shares of the picture.

Source of costs and weights: DINO's, which are Deformable DETR's.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from d2freq.errors import UserError
from d2freq.modeling.detectors.dino.boxes import corners, generalized_iou
from d2freq.ops.boxes import NWD_CONSTANT
from d2freq.ops.dct import working_dtype

__all__ = ["Costs", "match", "pairwise_costs"]

LOG_EPS = 1e-8  # the published codes'
IMPOSSIBLE = 1e9  # in the place of a cost that is not finite


class Costs(NamedTuple):
    """Weights of the terms of a pair's cost, and their constants.

    Attributes:
        cls: of the focal loss of the object's class, less that of "not this class".
        box: of the L1 distance of (cx, cy, w, h).
        giou: of minus the GIoU.
        nwd: of 1 less the normalised Wasserstein distance, an addition of d2freq's for boxes so
            tiny that GIoU hardly tells near from far; 0 in the papers.
        alpha, gamma: the focal loss's.
        nwd_constant: NWD's C in pixels.
    """

    cls: float = 2.0
    box: float = 5.0
    giou: float = 2.0
    nwd: float = 0.0
    alpha: float = 0.25
    gamma: float = 2.0
    nwd_constant: float = NWD_CONSTANT


@torch.no_grad()
def match(
    logits: Tensor,
    boxes: Tensor,
    gt_classes: list[Tensor],
    gt_boxes: list[Tensor],
    costs: Costs | None = None,
    sizes: Tensor | None = None,
) -> list[tuple[Tensor, Tensor]]:
    """Pairs of query and object of each image, such that the sum of their costs is least.

    With more objects than queries those that cost most stay without one. Costs that are not finite
    count as very high: the losses of such outputs are not finite either, and a trainer sees that.

    Args:
        logits: (N, Q, K).
        boxes: (N, Q, 4), after the sigmoid.
        gt_classes: N tensors (G_i,) int64.
        gt_boxes: N tensors (G_i, 4).
        costs: None for the papers'.
        sizes: (N, 2) width and height of each image in pixels, which ``costs.nwd`` needs.

    Returns:
        For each image (query, object), two int64 tensors (min(Q, G_i),), by rising query.

    Raises:
        UserError: NWD without image sizes.
    """
    from scipy.optimize import linear_sum_assignment

    counts = [len(each) for each in gt_boxes]
    device = logits.device
    if not sum(counts):
        return [(torch.zeros(0, dtype=torch.long, device=device),) * 2 for _ in counts]
    matrix = pairwise_costs(
        logits,
        boxes,
        pad_sequence(gt_classes, batch_first=True),
        pad_sequence(gt_boxes, batch_first=True),
        costs or Costs(),
        sizes,
    )
    matrix = matrix.nan_to_num(nan=IMPOSSIBLE, posinf=IMPOSSIBLE, neginf=IMPOSSIBLE)
    pairs = []
    for of_image, count in zip(matrix.cpu().numpy(), counts, strict=True):
        found = linear_sum_assignment(of_image[:, :count])
        query, object_ = (torch.as_tensor(each, device=device) for each in found)
        pairs.append((query, object_))
    return pairs


def pairwise_costs(
    logits: Tensor,
    boxes: Tensor,
    classes: Tensor,
    truth: Tensor,
    costs: Costs,
    sizes: Tensor | None = None,
) -> Tensor:
    """The cost of each query for each object of its image, for the batch at once.

    Args:
        logits, boxes, costs, sizes: see :func:`match`.
        classes: (N, G) int64; what pads an image's objects may be any class.
        truth: (N, G, 4).

    Returns:
        (N, Q, G), float32 for half precision, else the dtype of ``boxes``.
    """
    boxes = boxes.to(working_dtype(boxes))
    truth = truth.to(boxes)
    share = logits.to(boxes.dtype).sigmoid()
    positive = costs.alpha * (1 - share) ** costs.gamma * -(share + LOG_EPS).log()
    negative = (1 - costs.alpha) * share**costs.gamma * -(1 - share + LOG_EPS).log()
    of_class = classes[:, None].expand(-1, boxes.shape[1], -1)
    total = costs.cls * (positive - negative).gather(2, of_class)
    total += costs.box * torch.cdist(boxes, truth, p=1)
    total -= costs.giou * generalized_iou(corners(boxes)[:, :, None], corners(truth)[:, None])
    if costs.nwd:
        total += costs.nwd * (1 - _nwd(boxes, truth, costs.nwd_constant, sizes))
    return total


def _nwd(boxes: Tensor, truth: Tensor, constant: float, sizes: Tensor | None) -> Tensor:
    """(N, Q, G) normalised Wasserstein distances, 1 for equal boxes; see d2freq.ops.boxes.

    The squared distance is that of the points (cx, cy, w / 2, h / 2) in pixels.
    """
    if sizes is None:
        raise UserError("MODEL.DINO.COST_NWD: NWD is of pixels; give the images' sizes")
    sizes = sizes.to(boxes)
    pixels = torch.cat((sizes, sizes / 2), dim=1)[:, None]
    # by products of matrices, nearby points would lose the digits that tell them apart
    exact = "donot_use_mm_for_euclid_dist"
    distance = torch.cdist(boxes * pixels, truth * pixels, p=2, compute_mode=exact)
    return torch.exp(-distance / constant)
