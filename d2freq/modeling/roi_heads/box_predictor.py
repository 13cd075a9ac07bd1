"""Box predictor whose classification loss may be focal and weigh classes.

N regions of all images together, K classes; scores are (N, K + 1) with the background last.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling.box_regression import Box2BoxTransform
from detectron2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers
from detectron2.structures import Instances
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.roi_heads.config import box_loss_keys
from d2freq.utils.choices import choice
from d2freq.utils.own_keys import own_keys

__all__ = ["WeightedOutputLayers", "classification_loss"]

LOSSES = ("cross_entropy", "focal")
OTHERS = ("use_sigmoid_ce", "use_fed_loss")  # losses of Detectron2's own


class WeightedOutputLayers(FastRCNNOutputLayers):
    """FastRCNNOutputLayers with another "loss_cls"; layers and detections are the same.

    Args:
        cls_loss: "cross_entropy", or "focal" (Lin et al., 2017, of a softmax).
        cls_loss_weight: factor of "loss_cls", beside ``loss_weight``.
        focal_gamma: how much less well-known regions count; 0 is the cross entropy.
        class_weights: K factors, or none for 1 each.
        background_weight: the background's factor.

    The other arguments are FastRCNNOutputLayers'.

    Raises:
        UserError: an unknown loss, a factor below 0, or other than K of them.
    """

    class_weights: Tensor

    @configurable
    def __init__(
        self,
        input_shape: ShapeSpec | int,
        *,
        box2box_transform: Box2BoxTransform,
        num_classes: int,
        test_score_thresh: float = 0.0,
        test_nms_thresh: float = 0.5,
        test_topk_per_image: int = 100,
        cls_agnostic_bbox_reg: bool = False,
        smooth_l1_beta: float = 0.0,
        box_reg_loss_type: str = "smooth_l1",
        loss_weight: float | dict[str, float] = 1.0,
        cls_loss: str = "cross_entropy",
        cls_loss_weight: float = 1.0,
        focal_gamma: float = 2.0,
        class_weights: Sequence[float] = (),
        background_weight: float = 1.0,
    ) -> None:
        super().__init__(
            input_shape,
            box2box_transform=box2box_transform,
            num_classes=num_classes,
            test_score_thresh=test_score_thresh,
            test_nms_thresh=test_nms_thresh,
            test_topk_per_image=test_topk_per_image,
            cls_agnostic_bbox_reg=cls_agnostic_bbox_reg,
            smooth_l1_beta=smooth_l1_beta,
            box_reg_loss_type=box_reg_loss_type,
            loss_weight=loss_weight,
        )
        choice(cls_loss, LOSSES, key="MODEL.ROI_BOX_HEAD.CLS_LOSS")
        weights = [*(class_weights or [1.0] * num_classes), background_weight]
        if len(weights) != num_classes + 1:
            raise UserError(
                f"MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS: {len(weights) - 1} factors for {num_classes} "
                "classes: give one for each, in the order of the data set"
            )
        if min([*weights, focal_gamma]) < 0 or max(weights) <= 0:
            raise UserError(
                f"MODEL.ROI_BOX_HEAD: CLASS_WEIGHTS with BACKGROUND_WEIGHT {weights} and "
                f"FOCAL_GAMMA {focal_gamma} are 0 or more, and one of the weights is above 0"
            )
        self.gamma = focal_gamma if cls_loss == "focal" else 0.0
        self.cls_loss_weight = cls_loss_weight
        # not part of a checkpoint: that of a plain predictor fits
        self.register_buffer("class_weights", torch.tensor(weights), persistent=False)

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: ShapeSpec) -> dict[str, Any]:
        arguments = super().from_config(cfg, input_shape)
        for name in OTHERS:
            if arguments.get(name):
                key = f"MODEL.ROI_BOX_HEAD.{name.upper()}"
                raise UserError(f"{key} is a loss of its own: leave it, or the ROI heads of d2freq")
        own = ("use_sigmoid_ce", "use_fed_loss", "get_fed_loss_cls_weights", "fed_loss_num_classes")
        head = own_keys(cfg, "MODEL.ROI_BOX_HEAD", box_loss_keys(), shared=True)
        return {
            **{name: value for name, value in arguments.items() if name not in own},
            "cls_loss": head.CLS_LOSS,
            "cls_loss_weight": head.CLS_LOSS_WEIGHT,
            "focal_gamma": head.FOCAL_GAMMA,
            "class_weights": head.CLASS_WEIGHTS,
            "background_weight": head.BACKGROUND_WEIGHT,
        }

    def losses(
        self, predictions: tuple[Tensor, Tensor], proposals: list[Instances]
    ) -> dict[str, Tensor]:
        """See FastRCNNOutputLayers.losses; "loss_cls" is this class's."""
        found = super().losses(predictions, proposals)
        scores = predictions[0]
        classes = [each.gt_classes for each in proposals]
        gt_classes = torch.cat(classes) if classes else scores.new_empty(0, dtype=torch.long)
        loss = classification_loss(scores, gt_classes, self.class_weights, self.gamma)
        factor = self.cls_loss_weight * self.loss_weight.get("loss_cls", 1.0)
        return {**found, "loss_cls": loss * factor}


def classification_loss(scores: Tensor, classes: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Mean over regions of weight x (1 - p)^gamma x -log p, divided by the mean weight.

    Args:
        scores: (N, K + 1), before the softmax.
        classes: (N,) int64, K for the background.
        weights: (K + 1,).
        gamma: 0 for the cross entropy, as torch's ``cross_entropy(weight=...)``.

    Returns:
        A scalar; 0 where there is no region, or all regions weigh nothing.
    """
    if not len(classes):
        return scores.sum() * 0.0
    loss = F.cross_entropy(scores, classes, weight=weights, reduction="none")
    if gamma > 0:
        right = scores.log_softmax(1).gather(1, classes[:, None])[:, 0].exp()
        loss = loss * (1 - right) ** gamma
    return loss.sum() / weights[classes].sum().clamp(min=1e-12)
