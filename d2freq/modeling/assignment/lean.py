"""Detectron2's RPN, RetinaNet and FCOS with ground truth matched in chunks: less memory, same bits.

Shape shorthand: B images, T anchors over all levels, K classes.
"""

from typing import TypeVar

import torch
from detectron2.modeling.matcher import Matcher
from detectron2.modeling.meta_arch.fcos import FCOS
from detectron2.modeling.meta_arch.retinanet import RetinaNet
from detectron2.modeling.proposal_generator import RPN
from detectron2.structures import Boxes, Instances
from torch import Tensor, nn

from d2freq.modeling.assignment.chunks import match_in_chunks
from d2freq.modeling.assignment.points import label_points_in_chunks
from d2freq.modeling.assignment.proposal_generator import AssignedRPN

__all__ = ["LeanFCOS", "LeanRPN", "LeanRetinaNet", "lean"]

Model = TypeVar("Model", bound=nn.Module)


class LeanRPN(AssignedRPN):
    """Detectron2's RPN, whose matcher never sees the whole matrix of overlaps.

    Losses and random draws are those of the parent bit by bit. Arguments are RPN's.
    """

    def _assign(
        self, truth: Tensor, anchors: Boxes, image_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """As Detectron2: anchors that stick out are assigned too, and then left out."""
        matches, labels = match_in_chunks(self.anchor_matcher, truth, anchors.tensor)
        if self.anchor_boundary_thresh >= 0:
            labels[~anchors.inside_box(image_size, self.anchor_boundary_thresh)] = -1
        return matches, labels


class LeanRetinaNet(RetinaNet):
    """Detectron2's RetinaNet, whose matcher never sees the whole matrix of overlaps."""

    @torch.no_grad()
    def label_anchors(
        self, anchors: list[Boxes], gt_instances: list[Instances]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """B labels (T,) int64, K for background and -1 for ignored, and B matched boxes (T, 4)."""
        joined = Boxes.cat(anchors).tensor
        labels, boxes = [], []
        for instances in gt_instances:
            truth = instances.gt_boxes.tensor
            matches, verdicts = match_in_chunks(self.anchor_matcher, truth, joined)
            if len(truth) == 0:
                labels.append(torch.full_like(matches, self.num_classes))
                boxes.append(torch.zeros_like(joined))
                continue
            classes = instances.gt_classes[matches]
            classes[verdicts == 0] = self.num_classes
            classes[verdicts == -1] = -1
            labels.append(classes)
            boxes.append(truth[matches])
        return labels, boxes


class LeanFCOS(FCOS):
    """Detectron2's FCOS, whose points are matched to a few objects at a time."""

    @torch.no_grad()
    def label_anchors(
        self, anchors: list[Boxes], gt_instances: list[Instances]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """B labels (T,) int64, K for background, and B matched boxes (T, 4)."""
        return label_points_in_chunks(
            super().label_anchors, anchors, gt_instances, background=self.num_classes
        )


LEAN: dict[type, type] = {RPN: LeanRPN, RetinaNet: LeanRetinaNet, FCOS: LeanFCOS}
for _known, _twin in LEAN.items():
    _twin.__name__ = _known.__name__  # messages and printed models say what the config says


def lean(model: Model) -> Model:
    """Give the host's own RPN, RetinaNet and FCOS within a model their lean twins, in place.

    Parameters, losses and detections stay. Classes derived from them are left alone: what they
    changed is not known; derive from the lean ones instead. So is a matcher of one's own.

    Returns:
        The model itself.
    """
    for module in model.modules():
        twin = LEAN.get(type(module))
        if twin and type(getattr(module, "anchor_matcher", None)) in (Matcher, type(None)):
            module.__class__ = twin
    return model
