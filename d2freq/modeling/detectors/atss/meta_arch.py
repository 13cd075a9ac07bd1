"""ATSS: a dense detector with one anchor a cell.

Shapes: B images, R anchors over all levels, P of them over the batch with an object, K classes.
"""

from collections.abc import Sequence
from typing import Any

from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.modeling.backbone import Backbone
from detectron2.structures import Instances
from torch import Tensor, nn
from torch.nn import functional as F

from d2freq.modeling.detectors.atss.assignment import assign_adaptively
from d2freq.modeling.detectors.atss.config import atss_keys
from d2freq.modeling.detectors.box_transform import box_transform
from d2freq.modeling.detectors.dense.cells import Grid
from d2freq.modeling.detectors.dense.detector import CellDetector, host_arguments
from d2freq.modeling.detectors.dense.head import ScaledHead
from d2freq.modeling.detectors.dense.positives import Positives, centerness
from d2freq.modeling.detectors.fcos.losses import BOX_LOSSES, class_loss, mean_over_processes
from d2freq.modeling.registration import register
from d2freq.utils.choices import choice
from d2freq.utils.own_keys import own_keys
from d2freq.utils.ranges import ALPHA, COUNT, WEIGHT, check_ranges

__all__ = ["ATSS", "RANGES", "anchor_arguments"]

RANGES = {
    "TOPK": COUNT,
    "LOC_WEIGHT": WEIGHT,
    "FOCAL_LOSS_ALPHA": ALPHA,
    "FOCAL_LOSS_GAMMA": WEIGHT,
}


@register(META_ARCH_REGISTRY)
class ATSS(CellDetector):
    """ATSS with the improved head of its authors: centerness, GIoU, a factor a level; MODEL.ATSS.

    Losses: "loss_atss_cls", focal, over the number of positive anchors (at least one an image);
    "loss_atss_loc", of boxes, each as much as its anchor is central, over the sum of these weights;
    "loss_atss_ctr", binary cross-entropy of the centerness, over the number again. Numbers and sums
    are means over all processes.

    Examples:
        >>> import torch
        >>> import d2freq
        >>> from detectron2.config import get_cfg
        >>> from d2freq.modeling.detectors.atss import ATSS
        >>> cfg = get_cfg()
        >>> d2freq.add_d2freq_config(cfg)
        >>> cfg.MODEL.BACKBONE.NAME = "build_mobilenetv2_hsfpn_backbone"
        >>> cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
        >>> cfg.MODEL.FPN.OUT_CHANNELS = 32
        >>> cfg.MODEL.ATSS.IN_FEATURES = ["p2", "p3", "p4"]
        >>> model = ATSS(cfg).eval()
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
        topk: int = 9,
        anchor_scale: float = 8.0,
        bbox_reg_weights: Sequence[float] = (10.0, 10.0, 5.0, 5.0),
        box_loss: str = "giou",
        loc_weight: float = 2.0,
        focal_loss_alpha: float = 0.25,
        focal_loss_gamma: float = 2.0,
        score: str = "product",
        test_score_thresh: float = 0.05,
        test_topk_candidates: int = 1000,
        test_nms_thresh: float = 0.6,
        max_detections_per_image: int = 100,
        input_format: str = "BGR",
    ) -> None:
        """
        Args:
            topk: see :func:`assign_adaptively`.
            anchor_scale: side of an anchor in strides.
            bbox_reg_weights: what the box numbers are divided by.
            box_loss: "giou", "diou", "iou" or "nwd".
            loc_weight: factor of the boxes' loss.
            focal_loss_alpha, focal_loss_gamma: weight of objects, and the power of what is wrong.
            (others): see :class:`CellDetector`.

        Raises:
            UserError: an option has a value that does not exist, or a number out of its range.
        """
        super().__init__(
            key="MODEL.ATSS",
            backbone=backbone,
            head=head,
            head_in_features=head_in_features,
            box2box_transform=box_transform(bbox_reg_weights, key="MODEL.ATSS.BBOX_REG_WEIGHTS"),
            prior_scale=anchor_scale,
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
                "LOC_WEIGHT": loc_weight,
                "FOCAL_LOSS_ALPHA": focal_loss_alpha,
                "FOCAL_LOSS_GAMMA": focal_loss_gamma,
            },
            RANGES,
            section="MODEL.ATSS",
        )
        self.focal_loss_alpha, self.focal_loss_gamma = focal_loss_alpha, focal_loss_gamma
        self.topk = topk
        self.box_loss = choice(box_loss, BOX_LOSSES, key="box_loss (MODEL.ATSS.BOX_LOSS)")
        self.loc_weight = loc_weight

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Explicit arguments from MODEL.ATSS; the backbone is MODEL.BACKBONE.NAME.

        Raises:
            UserError: MODEL.ATSS.IN_FEATURES asks for what the backbone does not give.
        """
        keys = own_keys(cfg, "MODEL.ATSS", atss_keys())
        return {
            **anchor_arguments(cfg, keys, key="MODEL.ATSS"),
            "topk": keys.TOPK,
            "box_loss": keys.BOX_LOSS,
            "loc_weight": keys.LOC_WEIGHT,
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
        """See the class; arguments are those of :meth:`CellDetector.losses`."""
        owners = [
            assign_adaptively(found.gt_boxes.tensor, priors, grids, topk=self.topk)
            for found in gt_instances
        ]
        positives = Positives.of(owners, gt_instances)
        labels = positives.labels(logits, self.num_classes)
        counts = positives.count_by_image(len(logits))
        self.log_positives(len(positives.cell) / len(logits))
        normalizer = mean_over_processes(counts.clamp(min=1).sum().to(logits))
        classes = class_loss(
            [logits], labels, alpha=self.focal_loss_alpha, gamma=self.focal_loss_gamma
        )
        anchors = priors[positives.cell]
        central = centerness(anchors, positives.boxes)
        boxes = self.box2box_transform.apply_deltas(
            numbers[positives.image, positives.cell], anchors
        )
        boxes = BOX_LOSSES[self.box_loss](boxes, positives.boxes, reduction="none")
        share = mean_over_processes(central.sum()).clamp(min=1)
        found = quality[positives.image, positives.cell, 0]
        return {
            "loss_atss_cls": classes / normalizer,
            "loss_atss_loc": self.loc_weight * (boxes * central).sum() / share,
            "loss_atss_ctr": F.binary_cross_entropy_with_logits(found, central, reduction="sum")
            / normalizer,
        }


def anchor_arguments(cfg: CfgNode, keys: CfgNode, *, key: str) -> dict[str, Any]:
    """Arguments of ATSS and PAA, which share anchors and head, from their node of the config."""
    arguments, levels = host_arguments(cfg, keys, key=key)
    head = ScaledHead(
        input_shape=levels,
        num_classes=keys.NUM_CLASSES,
        num_convs=keys.NUM_CONVS,
        norm=keys.NORM,
        prior_prob=keys.PRIOR_PROB,
        section=key,
    )
    return {
        **arguments,
        "head": head,
        "anchor_scale": keys.ANCHOR_SCALE,
        "bbox_reg_weights": keys.BBOX_REG_WEIGHTS,
        "focal_loss_alpha": keys.FOCAL_LOSS_ALPHA,
        "focal_loss_gamma": keys.FOCAL_LOSS_GAMMA,
        "score": keys.SCORE,
    }
