"""AutoAssign: FCOS's boxes from every point inside an object, whose weights are learned.

Shapes: B images, R points over all levels, P pairs of a point and an object, K classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.modeling.backbone import Backbone
from detectron2.modeling.box_regression import Box2BoxTransformLinear
from detectron2.structures import Instances
from fvcore.nn import giou_loss
from torch import Tensor, nn

from d2freq.modeling.detectors.auto_assign.center_prior import CenterPrior
from d2freq.modeling.detectors.auto_assign.config import auto_assign_keys
from d2freq.modeling.detectors.auto_assign.losses import (
    best_overlaps,
    center_loss,
    negative_loss,
    positive_loss,
)
from d2freq.modeling.detectors.auto_assign.pairs import find_pairs
from d2freq.modeling.detectors.dense.cells import Grid
from d2freq.modeling.detectors.dense.detector import CellDetector, host_arguments
from d2freq.modeling.detectors.dense.head import ScaledHead
from d2freq.modeling.detectors.fcos.losses import mean_over_processes
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys
from d2freq.utils.ranges import COUNT, WEIGHT, check_ranges

__all__ = ["AutoAssign"]

RANGES = {"TOPK": COUNT, "POS": WEIGHT, "NEG": WEIGHT, "CENTER": WEIGHT, "LOC_WEIGHT": WEIGHT}


@register(META_ARCH_REGISTRY)
class AutoAssign(CellDetector):
    """AutoAssign by MODEL.AUTOASSIGN.

    Losses: "loss_autoassign_pos" of the objects, over their number; "loss_autoassign_neg" of the
    background, over the sum of the centre prior; "loss_autoassign_center" of the prior, which is
    lower the more points an object has. Numbers and sums are means over all processes.

    Examples:
        >>> import torch
        >>> import d2freq
        >>> from detectron2.config import get_cfg
        >>> from d2freq.modeling.detectors.auto_assign import AutoAssign
        >>> cfg = get_cfg()
        >>> d2freq.add_d2freq_config(cfg)
        >>> cfg.MODEL.BACKBONE.NAME = "build_mobilenetv2_hsfpn_backbone"
        >>> cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
        >>> cfg.MODEL.FPN.OUT_CHANNELS = 32
        >>> cfg.MODEL.AUTOASSIGN.IN_FEATURES = ["p2", "p3", "p4"]
        >>> model = AutoAssign(cfg).eval()
        >>> with torch.no_grad():
        ...     detections = model([{"image": torch.zeros(3, 64, 64)}])
        >>> sorted(detections[0]["instances"].get_fields())
        ['pred_boxes', 'pred_classes', 'scores']
    """

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        head: nn.Module,
        num_classes: int,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        head_in_features: Sequence[str] | None = None,
        force_topk: bool = False,
        topk: int = 9,
        pos_weight: float = 0.25,
        neg_weight: float = 0.75,
        center_weight: float = 0.75,
        loc_weight: float = 5.0,
        score: str = "product",
        test_score_thresh: float = 0.05,
        test_topk_candidates: int = 1000,
        test_nms_thresh: float = 0.6,
        max_detections_per_image: int = 100,
        input_format: str = "BGR",
    ) -> None:
        """
        Args:
            force_topk, topk: see :func:`find_pairs`.
            pos_weight, neg_weight, center_weight: factors of the losses.
            loc_weight: a point's confidence in its box is exp(-loc_weight x GIoU loss).
            (others): see :class:`CellDetector`.

        Raises:
            UserError: an option has a value that does not exist, or a number out of its range.
        """
        super().__init__(
            key="MODEL.AUTOASSIGN",
            backbone=backbone,
            head=head,
            head_in_features=head_in_features,
            # boxes are distances in strides from the point, as FCOS's
            box2box_transform=Box2BoxTransformLinear(normalize_by_size=True),
            prior_scale=1.0,
            num_classes=num_classes,
            score=score,
            test_score_thresh=test_score_thresh,
            test_topk_candidates=test_topk_candidates,
            test_nms_thresh=test_nms_thresh,
            max_detections_per_image=max_detections_per_image,
            pixel_mean=pixel_mean,
            pixel_std=pixel_std,
            input_format=input_format,
        )
        check_ranges(
            {
                "TOPK": topk,
                "POS": pos_weight,
                "NEG": neg_weight,
                "CENTER": center_weight,
                "LOC_WEIGHT": loc_weight,
            },
            RANGES,
            section="MODEL.AUTOASSIGN",
        )
        self.center_prior = CenterPrior(num_classes=num_classes)
        self.force_topk, self.topk = force_topk, topk
        self.pos_weight, self.neg_weight = pos_weight, neg_weight
        self.center_weight, self.loc_weight = center_weight, loc_weight

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Explicit arguments from MODEL.AUTOASSIGN; the backbone is MODEL.BACKBONE.NAME.

        Raises:
            UserError: MODEL.AUTOASSIGN.IN_FEATURES asks for what the backbone does not give.
        """
        keys = own_keys(cfg, "MODEL.AUTOASSIGN", auto_assign_keys())
        arguments, levels = host_arguments(cfg, keys, key="MODEL.AUTOASSIGN")
        head = ScaledHead(
            input_shape=levels,
            num_classes=keys.NUM_CLASSES,
            num_convs=keys.NUM_CONVS,
            norm=keys.NORM,
            conv_bias=True,
            prior_prob=keys.PRIOR_PROB,
            box_bias=4.0,
            section="MODEL.AUTOASSIGN",
        )
        return {
            **arguments,
            "head": head,
            "force_topk": keys.FORCE_TOPK,
            "topk": keys.TOPK,
            "pos_weight": keys.POS,
            "neg_weight": keys.NEG,
            "center_weight": keys.CENTER,
            "loc_weight": keys.LOC_WEIGHT,
            "score": keys.SCORE,
        }

    def losses(
        self,
        grids: list[Grid],
        priors: Tensor,
        logits: Tensor,
        numbers: Tensor,
        quality: Tensor,
        gt_instances: list[Instances],
    ) -> dict[str, Tensor]:
        """See the class; arguments are those of :meth:`CellDetector.losses`.

        Every parameter has a gradient, if of 0, also where a batch has no pair.
        """
        pairs = find_pairs(
            gt_instances,
            grids,
            prior=self.center_prior,
            force_topk=self.force_topk,
            topk=self.topk,
        )
        self.log_positives(len(pairs.point) / len(logits))
        classes, truth = pairs.classes[pairs.object], pairs.boxes[pairs.object]
        squares = priors[pairs.point]
        centres = (squares[:, :2] + squares[:, 2:]) / 2
        offsets = centres - (truth[:, :2] + truth[:, 2:]) / 2
        prior = self.center_prior(offsets, squares[:, 2] - squares[:, 0], classes)
        boxes = self.box2box_transform.apply_deltas(numbers[pairs.image, pairs.point], squares)
        located = torch.exp(-self.loc_weight * giou_loss(boxes, truth, reduction="none"))
        joint = logits.sigmoid() * quality.sigmoid()
        confidence = joint[pairs.image, pairs.point, classes] * located
        overlaps = best_overlaps(boxes.detach(), pairs)
        objects = mean_over_processes(logits.new_tensor(float(len(pairs.boxes)))).clamp(min=1)
        total = mean_over_processes(prior.detach().sum()).clamp(min=1)
        idle = 0 * (self.center_prior.mean.sum() + self.center_prior.sigma.sum() + numbers.sum())
        return {
            "loss_autoassign_pos": self.pos_weight
            * positive_loss(confidence, prior, pairs)
            / objects,
            "loss_autoassign_neg": self.neg_weight * negative_loss(joint, overlaps, pairs) / total,
            "loss_autoassign_center": self.center_weight * center_loss(prior, pairs, len(logits))
            + idle,
        }
