"""RFLA: hierarchical assignment by the distance of Gaussian receptive fields.

Source: Xu et al., ECCV 2022, "RFLA: Gaussian Receptive Field based Label Assignment for Tiny
Object Detection". It is what the HS-FPN paper calls "w/ RFLA"; the receptive fields that it
assigns are made in ``receptive_field.py``.

Shape shorthand: N objects, M receptive fields.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.assignment.ranking import check_threshold, check_topk, rank_anchors
from d2freq.ops.boxes import gaussian_kl, gaussian_wasserstein2, gaussians
from d2freq.utils.choices import choice

__all__ = ["HierarchicalAssigner"]

DISTANCES = {"kl": gaussian_kl, "wd": gaussian_wasserstein2}


class HierarchicalAssigner:
    """Each object takes its k nearest receptive fields, and again once these have shrunk.

    The score is 1 / (1 + distance). In each stage receptive fields whose best score is under the
    threshold are negative, and then each object takes its nearest ones. Positives of an earlier
    stage stay; everything else has the label of the last stage.

    The published code leaves the fields shrunk when it computes the regression targets; here the
    targets refer to the fields that inference decodes.

    Args:
        metric: "kl" (Kullback-Leibler, RFLA's choice) or "wd" (squared Wasserstein distance).
        topk: of each stage; RFLA has 3, then 1.
        shrink_ratio: sides of a stage's fields over those of the stage before, in (0, 1].
        negative_threshold: score.

    Raises:
        UserError: a value out of range.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.assignment import HierarchicalAssigner
        >>> truth = torch.tensor([[10.0, 10, 14, 14]])
        >>> fields = torch.tensor([[8.0, 8, 16, 16], [16.0, 16, 24, 24], [90.0, 90, 98, 98]])
        >>> matches, labels = HierarchicalAssigner(topk=[1, 1])(truth, fields)
        >>> matches.tolist(), labels.tolist()
        ([0, 0, 0], [1, 0, 0])
    """

    def __init__(
        self,
        *,
        metric: str = "kl",
        topk: Sequence[int] = (3, 1),
        shrink_ratio: float = 0.9,
        negative_threshold: float = 0.8,
    ) -> None:
        choice(metric, DISTANCES, key="metric (MODEL.RFLA.METRIC)")
        if isinstance(topk, int) or not topk:
            raise UserError(f"topk (MODEL.RFLA.TOPK): got {topk!r}; give a list, one k a stage")
        for k in topk:
            check_topk(k, "HierarchicalAssigner topk (MODEL.RFLA.TOPK), each stage")
        if not 0 < shrink_ratio <= 1:
            key = "shrink_ratio (MODEL.RFLA.SHRINK_RATIO)"
            raise UserError(f"{key}: got {shrink_ratio!r}; give a number above 0 and at most 1")
        check_threshold(negative_threshold, "negative_threshold (MODEL.RFLA.NEGATIVE_THRESHOLD)")
        self.metric = metric
        self.topk = tuple(topk)
        self.shrink_ratio = shrink_ratio
        self.negative_threshold = negative_threshold

    def __call__(self, truth: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """Matches (M,) and labels (M,) of anchors (M, 4); as :func:`rank_anchors` returns them.

        ``truth`` is (N, 4) XYXY in pixels.
        """
        objects, fields = gaussians(truth.to(anchors.dtype)), gaussians(anchors)
        stages = [
            rank_anchors(
                objects,
                shrink(fields, self.shrink_ratio**stage),
                distance=DISTANCES[self.metric],
                topk=topk,
                negative_from=1 / self.negative_threshold - 1,
            )
            for stage, topk in enumerate(self.topk)
        ]
        matches, labels = stages[-1]
        for earlier_matches, earlier_labels in reversed(stages[:-1]):
            stays = earlier_labels == 1
            matches = torch.where(stays, earlier_matches, matches)
            labels = torch.where(stays, earlier_labels, labels)
        return matches, labels


def shrink(fields: Tensor, ratio: float) -> Tensor:
    """Gaussians (5, M) of boxes with their sides times ``ratio`` about their centres.

    Sides that were equal stay so, which they would not by way of rounded corners.
    """
    if ratio == 1:
        return fields
    shrunk = fields.clone()
    shrunk[2:4] *= ratio
    shrunk[4] += 2 * math.log(ratio)
    return shrunk
