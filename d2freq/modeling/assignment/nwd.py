"""NWD-RKA: ranking-based assignment by the normalised Wasserstein distance.

Source: Xu et al., ISPRS Journal 2022, "Detecting Tiny Objects in Aerial Images: A Normalized
Wasserstein Distance and a New Benchmark". It is what the HS-FPN paper calls "w/ NWD".
"""

import math

from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.assignment.ranking import check_threshold, check_topk, rank_anchors
from d2freq.ops.boxes import (
    NWD_CONSTANT,
    WASSERSTEIN_EPSILON,
    gaussian_wasserstein2,
    gaussians,
)
from d2freq.utils.ranges import POSITIVE

__all__ = ["RankingAssigner"]


class RankingAssigner:
    """Each object takes the k anchors of highest NWD; anchors far from all are negative.

    Memory beyond arguments and results stays under 256 MB, also for 3,000 objects and 266,000
    anchors.

    Args:
        topk: k. The HS-FPN paper's runs take 3; NWD-RKA itself 3 in Cascade and 2 in Faster R-CNN.
        constant: C of NWD, in pixels.
        negative_threshold: NWD below which an anchor is negative.

    Raises:
        UserError: a value out of range.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.assignment import RankingAssigner
        >>> truth = torch.tensor([[10.0, 10, 14, 14]])
        >>> anchors = torch.tensor([[8.0, 8, 16, 16], [16.0, 16, 24, 24], [90.0, 90, 98, 98]])
        >>> matches, labels = RankingAssigner(topk=1)(truth, anchors)
        >>> labels.tolist()  # positive, ignored, negative
        [1, -1, 0]
    """

    def __init__(
        self,
        *,
        topk: int = 3,
        constant: float = NWD_CONSTANT,
        negative_threshold: float = 0.3,
    ) -> None:
        check_topk(topk, "RankingAssigner topk (MODEL.NWD.TOPK)")
        check_threshold(negative_threshold, "negative_threshold (MODEL.NWD.NEGATIVE_THRESHOLD)")
        if constant not in POSITIVE:
            raise UserError(f"constant (MODEL.NWD.CONSTANT): got {constant!r}; give pixels above 0")
        self.topk = topk
        self.constant = constant
        self.negative_threshold = negative_threshold

    def __call__(self, truth: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """Matches (M,) and labels (M,) of anchors (M, 4); as :func:`rank_anchors` returns them.

        ``truth`` is (N, 4) XYXY in pixels.
        """
        # NWD < threshold, solved for the squared distance.
        farthest = self.constant * -math.log(self.negative_threshold)
        return rank_anchors(
            gaussians(truth.to(anchors.dtype)),
            gaussians(anchors),
            distance=gaussian_wasserstein2,
            topk=self.topk,
            negative_from=farthest**2 - WASSERSTEIN_EPSILON,
        )
