"""How the boxes of Cascade RPN's first stage get their objects: the assigner of a config."""

from collections.abc import Callable

from detectron2.config import CfgNode
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.assignment.config import nwd_keys, rfla_keys
from d2freq.modeling.assignment.max_iou import MaxIoUAssigner
from d2freq.modeling.assignment.nwd import RankingAssigner
from d2freq.modeling.assignment.rfla import HierarchicalAssigner
from d2freq.utils.choices import choice
from d2freq.utils.own_keys import own_keys

__all__ = ["Matching", "matcher_of"]

Matching = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def matcher_of(cfg: CfgNode, own: CfgNode) -> Matching:
    """The assigner that MODEL.CASCADE_RPN.ASSIGNER names."""
    choice(own.ASSIGNER, ("max_iou", "nwd", "rfla"), key="MODEL.CASCADE_RPN.ASSIGNER")
    if own.ASSIGNER == "nwd":
        nwd = own_keys(cfg, "MODEL.NWD", nwd_keys())
        return RankingAssigner(
            topk=nwd.TOPK, constant=nwd.CONSTANT, negative_threshold=nwd.NEGATIVE_THRESHOLD
        )
    if own.ASSIGNER == "rfla":
        rfla = own_keys(cfg, "MODEL.RFLA", rfla_keys())
        return HierarchicalAssigner(
            metric=rfla.METRIC,
            topk=rfla.TOPK,
            shrink_ratio=rfla.SHRINK_RATIO,
            negative_threshold=rfla.NEGATIVE_THRESHOLD,
        )
    if not 0 < own.IOU <= 1 or not 0 < own.MIN_IOU <= 1:
        raise UserError(
            f"MODEL.CASCADE_RPN: IOU {own.IOU!r} and MIN_IOU {own.MIN_IOU!r}; give two overlaps "
            "(IoU) above 0 and at most 1"
        )
    return MaxIoUAssigner(positive_iou=own.IOU, negative_iou=own.IOU, min_positive_iou=own.MIN_IOU)
