"""The procedure that NWD-RKA and RFLA share: each object takes its nearest anchors.

Shape shorthand: N objects, M anchors, k anchors an object.

All N x M distances of a crowded aerial image do not fit in memory (3,000 x 266,000 float32 are
3.2 GB), so they come in chunks of objects. Each chunk's rows have the bits of the whole matrix's,
and minimum, k-th smallest and "the later object wins" do not depend on the cut. So the result
does not either.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from d2freq.errors import UserError

__all__ = ["PAIRS_PER_CHUNK", "check_finite", "check_threshold", "check_topk", "rank_anchors"]

PAIRS_PER_CHUNK = 2**20  # 4 MB of float32 a matrix, of which about six live at once


@torch.no_grad()
def rank_anchors(
    objects: Tensor,
    anchors: Tensor,
    *,
    distance: Callable[[Tensor, Tensor], Tensor],
    topk: int,
    negative_from: float,
) -> tuple[Tensor, Tensor]:
    """Label anchors: first the far ones negative, then each object's k nearest positive.

    An anchor farther than ``negative_from`` from every object is negative. Then each object in
    turn takes its k nearest anchors, however far, and all that tie with the k-th; a later object
    takes from an earlier one. What is neither is ignored.

    It ranks by distance, and not by a score such as NWD that falls with it: the order is the
    same, but scores of float32 round to 0 and then all anchors of a large object tie.

    Args:
        objects: Gaussians (5, N), see ``d2freq.ops.boxes``; with none, all anchors are negative.
        anchors: Gaussians (5, M), same dtype and device; M may be 0, or less than k.
        distance: Gaussians (5, n) and (5, M) to (n, M).
        topk: k, at least 1.
        negative_from: distance.

    Returns:
        matches: (M,) int64 in [0, N), the object of a positive anchor; without meaning elsewhere.
        labels: (M,) int8; 1 positive, 0 negative, -1 ignored.

    Raises:
        UserError: an object has a coordinate that is NaN or infinite.
    """
    count, total = objects.shape[1], anchors.shape[1]
    latest = torch.full((total,), -1, dtype=torch.int32, device=anchors.device)
    if count == 0 or total == 0:
        return latest.long().clamp_(min=0), latest.new_zeros(total, dtype=torch.int8)
    check_finite(objects.T)
    nearest = anchors.new_full((total,), float("inf"))
    numbers = torch.arange(count, dtype=torch.int32, device=anchors.device)
    rows = max(1, PAIRS_PER_CHUNK // total)
    for start in range(0, count, rows):
        chunk = slice(start, start + rows)
        distances = distance(objects[:, chunk], anchors)
        kth = distances.topk(min(topk, total), dim=1, largest=False).values[:, -1:]
        torch.minimum(nearest, distances.amin(dim=0), out=nearest)
        owners = torch.where(distances <= kth, numbers[chunk, None], -1).amax(dim=0)
        torch.maximum(latest, owners, out=latest)
    labels = torch.where(nearest > negative_from, 0, -1).to(torch.int8)
    labels[latest >= 0] = 1
    return latest.long().clamp_(min=0), labels


def check_finite(objects: Tensor) -> None:
    """Raise UserError, naming the first object of (N, D) with a value that is NaN or infinite."""
    finite = objects.isfinite().all(dim=1)
    if not finite.all():
        row = int((~finite).nonzero()[0])
        raise UserError(
            f"ground truth: box {row} of {len(objects)} of an image has a coordinate that is NaN "
            "or infinite; look for it with `d2freq validate`, and in the augmentations"
        )


def check_topk(topk: object, key: str) -> None:
    """Raise UserError, naming the config key, unless it is a whole number of at least 1."""
    if not isinstance(topk, int) or isinstance(topk, bool) or topk < 1:
        raise UserError(f"{key}: got {topk!r}; give a whole number of at least 1")


def check_threshold(threshold: float, key: str) -> None:
    """Raise UserError, naming the config key, unless it is a score above 0 and at most 1."""
    if not 0 < threshold <= 1:
        raise UserError(f"{key}: got {threshold!r}; give a score above 0 and at most 1")
