"""Region proposal networks whose anchors are labelled by NWD-RKA, RFLA, DotD or the MaxIoU rule.

Shape shorthand: B images, T anchors over all levels.
"""

from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.proposal_generator import PROPOSAL_GENERATOR_REGISTRY, RPN
from detectron2.modeling.sampling import subsample_labels
from detectron2.structures import Boxes, Instances
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.assignment.config import (
    dotd_keys,
    max_iou_rpn_keys,
    nwd_keys,
    rfla_keys,
)
from d2freq.modeling.assignment.dotd import DotDAssigner
from d2freq.modeling.assignment.max_iou import MaxIoUAssigner
from d2freq.modeling.assignment.nwd import RankingAssigner
from d2freq.modeling.assignment.rfla import HierarchicalAssigner
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys

__all__ = ["NWDRPN", "RFLARPN", "AssignedRPN", "DotDRPN", "MaxIoURPN"]


class AssignedRPN(RPN):
    """RPN whose ``anchor_matcher`` is called with boxes instead of with their IoUs.

    ``anchor_matcher(truth, anchors)`` takes (N, 4) and (M, 4) and returns matches (M,) int64 and
    labels (M,) int8, as :class:`MaxIoUAssigner`, :class:`RankingAssigner` and
    :class:`HierarchicalAssigner` do. All other arguments are RPN's.
    """

    @torch.no_grad()
    def label_and_sample_anchors(
        self, anchors: list[Boxes], gt_instances: list[Instances]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Label the anchors of each of B images and draw those that enter the loss.

        Anchors that stick out of the image (see ``anchor_boundary_thresh``) are left out before
        they are assigned, as in the papers, so that each object gets its share of the others. So
        are those of an object without area, whose deltas would be infinite, as in Detectron2.

        Returns:
            B labels (T,): 1 positive, 0 negative, -1 left out; and B tensors (T, 4) with the box
            of each positive, undefined elsewhere.
        """
        joined = Boxes.cat(anchors)
        labels, boxes = [], []
        for instances in gt_instances:
            truth = instances.gt_boxes.tensor
            matches, label = self._assign(truth, joined, instances.image_size)
            if len(truth):
                flat = (truth[:, 2:] <= truth[:, :2]).any(dim=1)
                label[(label == 1) & flat[matches]] = -1  # the log of its side is infinite
            positive, negative = subsample_labels(
                label, self.batch_size_per_image, self.positive_fraction, 0
            )
            label.fill_(-1)
            label[positive] = 1
            label[negative] = 0
            labels.append(label)
            boxes.append(truth[matches] if len(truth) else torch.zeros_like(joined.tensor))
        return labels, boxes

    def _assign(
        self, truth: Tensor, anchors: Boxes, image_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Matches (T,) and labels (T,) of all anchors, -1 for those that stick out."""
        if self.anchor_boundary_thresh < 0:
            return self.anchor_matcher(truth, anchors.tensor)
        inside = anchors.inside_box(image_size, self.anchor_boundary_thresh)
        matches = torch.zeros(len(anchors), dtype=torch.int64, device=inside.device)
        labels = torch.full_like(matches, -1, dtype=torch.int8)
        matches[inside], labels[inside] = self.anchor_matcher(truth, anchors.tensor[inside])
        return matches, labels


@register(PROPOSAL_GENERATOR_REGISTRY)
class MaxIoURPN(AssignedRPN):
    """RPN with the MaxIoU rule of published baselines, from MODEL.MAX_IOU_RPN and MODEL.RPN."""

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """MODEL.RPN's IOU_THRESHOLDS are the negative and the positive overlap.

        Raises:
            UserError: MODEL.RPN.IOU_LABELS are not [0, -1, 1], or a threshold is out of range.
        """
        arguments = super().from_config(cfg, input_shape)
        negative, positive = _thresholds(cfg, "MaxIoURPN")
        arguments["anchor_matcher"] = MaxIoUAssigner(
            positive_iou=positive,
            negative_iou=negative,
            min_positive_iou=own_keys(cfg, "MODEL.MAX_IOU_RPN", max_iou_rpn_keys()).MIN_POS_IOU,
        )
        return arguments


@register(PROPOSAL_GENERATOR_REGISTRY)
class DotDRPN(AssignedRPN):
    """RPN with the MaxIoU rule by the distance of centres, from MODEL.DOTD and MODEL.RPN."""

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """MODEL.RPN's IOU_THRESHOLDS are the negative and the positive similarity.

        Raises:
            UserError: MODEL.RPN.IOU_LABELS are not [0, -1, 1], or a value is out of range.
        """
        arguments = super().from_config(cfg, input_shape)
        negative, positive = _thresholds(cfg, "DotDRPN")
        keys = own_keys(cfg, "MODEL.DOTD", dotd_keys())
        arguments["anchor_matcher"] = DotDAssigner(
            constant=keys.CONSTANT,
            positive=positive,
            negative=negative,
            min_positive=keys.MIN_POS,
        )
        return arguments


@register(PROPOSAL_GENERATOR_REGISTRY)
class NWDRPN(AssignedRPN):
    """RPN with the ranking assignment of NWD-RKA, from MODEL.NWD and MODEL.RPN."""

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """MODEL.RPN's IOU_THRESHOLDS and IOU_LABELS are without effect."""
        arguments = super().from_config(cfg, input_shape)
        keys = own_keys(cfg, "MODEL.NWD", nwd_keys())
        arguments["anchor_matcher"] = RankingAssigner(
            topk=keys.TOPK,
            constant=keys.CONSTANT,
            negative_threshold=keys.NEGATIVE_THRESHOLD,
        )
        return arguments


@register(PROPOSAL_GENERATOR_REGISTRY)
class RFLARPN(AssignedRPN):
    """RPN with the hierarchical assignment of RFLA, from MODEL.RFLA and MODEL.RPN.

    Its anchors should be receptive fields: MODEL.ANCHOR_GENERATOR.NAME RFLAAnchorGenerator.
    """

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """MODEL.RPN's IOU_THRESHOLDS and IOU_LABELS are without effect."""
        arguments = super().from_config(cfg, input_shape)
        keys = own_keys(cfg, "MODEL.RFLA", rfla_keys())
        arguments["anchor_matcher"] = HierarchicalAssigner(
            metric=keys.METRIC,
            topk=keys.TOPK,
            shrink_ratio=keys.SHRINK_RATIO,
            negative_threshold=keys.NEGATIVE_THRESHOLD,
        )
        return arguments


def _thresholds(cfg: CfgNode, name: str) -> tuple[float, float]:
    """MODEL.RPN.IOU_THRESHOLDS, negative and positive, of a rule with these two alone."""
    if list(cfg.MODEL.RPN.IOU_LABELS) != [0, -1, 1]:
        raise UserError(
            f"MODEL.RPN.IOU_LABELS: {name} takes [0, -1, 1] alone, got "
            f"{list(cfg.MODEL.RPN.IOU_LABELS)}; Detectron2's RPN takes others"
        )
    negative, positive = cfg.MODEL.RPN.IOU_THRESHOLDS
    return negative, positive
