"""PAA: ATSS's anchors and head, with labels that follow the losses, and a predicted IoU.

Shapes: B images, R anchors over all levels, P of them over the batch with an object, K classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.modeling.backbone import Backbone
from detectron2.structures import ImageList, Instances
from fvcore.nn import giou_loss, sigmoid_focal_loss
from torch import Tensor, nn
from torch.nn import functional as F

from d2freq.modeling.detectors.atss.meta_arch import RANGES, anchor_arguments
from d2freq.modeling.detectors.box_transform import box_transform
from d2freq.modeling.detectors.dense.cells import Grid
from d2freq.modeling.detectors.dense.detector import CellDetector
from d2freq.modeling.detectors.dense.positives import Positives
from d2freq.modeling.detectors.fcos.inference import suppress
from d2freq.modeling.detectors.fcos.losses import class_loss, mean_over_processes
from d2freq.modeling.detectors.paa.assignment import choose_positives, overlapping
from d2freq.modeling.detectors.paa.config import paa_keys
from d2freq.modeling.detectors.paa.voting import vote
from d2freq.modeling.registration import register
from d2freq.ops.box_losses import aligned_iou
from d2freq.utils.own_keys import own_keys
from d2freq.utils.ranges import PART, WEIGHT, check_ranges

__all__ = ["PAA"]


@register(META_ARCH_REGISTRY)
class PAA(CellDetector):
    """PAA by MODEL.PAA.

    Losses: "loss_paa_cls", focal, over the number of positive anchors (at least one an image);
    "loss_paa_loc", GIoU, each as much as its decoded box overlaps the object, over the sum of these
    overlaps; "loss_paa_iou", binary cross-entropy of the predicted overlap, over the number of
    positives. Numbers and sums are means over all processes.

    Examples:
        >>> import torch
        >>> import d2freq
        >>> from detectron2.config import get_cfg
        >>> from d2freq.modeling.detectors.paa import PAA
        >>> cfg = get_cfg()
        >>> d2freq.add_d2freq_config(cfg)
        >>> cfg.MODEL.BACKBONE.NAME = "build_mobilenetv2_hsfpn_backbone"
        >>> cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
        >>> cfg.MODEL.FPN.OUT_CHANNELS = 32
        >>> cfg.MODEL.PAA.IN_FEATURES = ["p2", "p3", "p4"]
        >>> model = PAA(cfg).eval()
        >>> with torch.no_grad():
        ...     detections = model([{"image": torch.zeros(3, 64, 64)}])
        >>> sorted(detections[0]["instances"].get_fields())
        ['pred_boxes', 'pred_classes', 'scores']
    """

    inference = "detectron2"  # candidates are chosen by their score

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
        iou_threshold: float = 0.1,
        topk: int = 9,
        anchor_scale: float = 8.0,
        bbox_reg_weights: Sequence[float] = (10.0, 10.0, 5.0, 5.0),
        loc_weight: float = 1.3,
        iou_weight: float = 0.5,
        score_voting: bool = True,
        focal_loss_alpha: float = 0.25,
        focal_loss_gamma: float = 2.0,
        score: str = "root",
        test_score_thresh: float = 0.05,
        test_topk_candidates: int = 1000,
        test_nms_thresh: float = 0.6,
        max_detections_per_image: int = 100,
        input_format: str = "BGR",
    ) -> None:
        """
        Args:
            iou_threshold: overlap from which on an anchor may become positive.
            topk: see :func:`choose_positives`.
            anchor_scale: side of an anchor in strides.
            bbox_reg_weights: what the box numbers are divided by.
            loc_weight, iou_weight: factors of the losses.
            score_voting: see :func:`vote`.
            focal_loss_alpha, focal_loss_gamma: weight of objects, and the power of what is wrong.
            (others): see :class:`CellDetector`; ``test_score_thresh`` goes by the score.

        Raises:
            UserError: an option has a value that does not exist, or a number out of its range.
        """
        super().__init__(
            key="MODEL.PAA",
            backbone=backbone,
            head=head,
            head_in_features=head_in_features,
            box2box_transform=box_transform(bbox_reg_weights, key="MODEL.PAA.BBOX_REG_WEIGHTS"),
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
                "IOU_THRESHOLD": iou_threshold,
                "TOPK": topk,
                "LOC_WEIGHT": loc_weight,
                "IOU_WEIGHT": iou_weight,
                "FOCAL_LOSS_ALPHA": focal_loss_alpha,
                "FOCAL_LOSS_GAMMA": focal_loss_gamma,
            },
            {**RANGES, "IOU_THRESHOLD": PART, "IOU_WEIGHT": WEIGHT},
            section="MODEL.PAA",
        )
        self.iou_threshold = iou_threshold
        self.focal_loss_alpha, self.focal_loss_gamma = focal_loss_alpha, focal_loss_gamma
        self.topk = topk
        self.loc_weight, self.iou_weight = loc_weight, iou_weight
        self.score_voting = score_voting

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Explicit arguments from MODEL.PAA; the backbone is MODEL.BACKBONE.NAME.

        Raises:
            UserError: MODEL.PAA.IN_FEATURES asks for what the backbone does not give.
        """
        keys = own_keys(cfg, "MODEL.PAA", paa_keys())
        return {
            **anchor_arguments(cfg, keys, key="MODEL.PAA"),
            "iou_threshold": keys.IOU_THRESHOLD,
            "topk": keys.TOPK,
            "loc_weight": keys.LOC_WEIGHT,
            "iou_weight": keys.IOU_WEIGHT,
            "score_voting": keys.SCORE_VOTING,
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
            overlapping(found.gt_boxes.tensor, priors, threshold=self.iou_threshold)
            for found in gt_instances
        ]
        positives = self._chosen(owners, grids, priors, logits, numbers, gt_instances)
        labels = positives.labels(logits, self.num_classes)
        self.log_positives(len(positives.cell) / len(logits))
        count = mean_over_processes(logits.new_tensor(float(len(positives.cell))))
        boxes = self._boxes(positives, priors, numbers)
        overlaps = aligned_iou(boxes.detach(), positives.boxes)
        share = mean_over_processes(overlaps.sum()).clamp(min=1e-6)
        found = quality[positives.image, positives.cell, 0]
        classes = class_loss(
            [logits], labels, alpha=self.focal_loss_alpha, gamma=self.focal_loss_gamma
        )
        return {
            "loss_paa_cls": classes / count.clamp(min=len(logits)),
            "loss_paa_loc": self.loc_weight
            * (giou_loss(boxes, positives.boxes, reduction="none") * overlaps).sum()
            / share,
            "loss_paa_iou": self.iou_weight
            * F.binary_cross_entropy_with_logits(found, overlaps, reduction="sum")
            / count.clamp(min=1),
        }

    @torch.no_grad()
    def _chosen(
        self,
        owners: list[Tensor],
        grids: list[Grid],
        priors: Tensor,
        logits: Tensor,
        numbers: Tensor,
        truth: list[Instances],
    ) -> Positives:
        """What stays positive of anchors that overlap an object, by the losses of now."""
        positives = Positives.of(owners, truth)
        scores = logits[positives.image, positives.cell]
        target = F.one_hot(positives.classes, self.num_classes).to(scores)
        focal = sigmoid_focal_loss(
            scores, target, alpha=self.focal_loss_alpha, gamma=self.focal_loss_gamma
        ).sum(dim=1)
        boxes = self._boxes(positives, priors, numbers)
        losses = focal + self.loc_weight * giou_loss(boxes, positives.boxes, reduction="none")
        ends = torch.tensor([grid.cells for grid in grids], device=priors.device).cumsum(0)
        levels = torch.bucketize(positives.cell, ends, right=True)
        counts = torch.tensor([len(found) for found in truth], device=priors.device)
        owner = torch.stack(owners)[positives.image, positives.cell]
        objects = owner + (counts.cumsum(0) - counts)[positives.image]
        stay = choose_positives(losses, objects, levels, topk=self.topk)
        return Positives(*(part[stay] for part in positives))

    def _boxes(self, positives: Positives, priors: Tensor, numbers: Tensor) -> Tensor:
        """(P, 4) decoded at the positives' anchors."""
        return self.box2box_transform.apply_deltas(
            numbers[positives.image, positives.cell], priors[positives.cell]
        )

    def forward_inference(
        self, images: ImageList, features: list[Tensor], predictions: list[list[Tensor]]
    ) -> list[Instances]:
        """B `Instances` with `pred_boxes`, `scores` and `pred_classes`; see the parent."""
        anchors = self.anchor_generator(features)
        logits, numbers, quality = (
            [level.flatten(2).transpose(1, 2) for level in levels] for levels in predictions
        )
        scores = [
            one.sigmoid() * other.sigmoid() for one, other in zip(logits, quality, strict=True)
        ]
        if self.score == "root":
            scores = [level.sqrt() for level in scores]
        found = []
        for place, image_size in enumerate(images.image_sizes):
            candidates = self._decode_multi_level_predictions(
                anchors,
                [level[place] for level in scores],
                [level[place] for level in numbers],
                self.test_score_thresh,
                self.test_topk_candidates,
                image_size,
            )
            candidates.pred_boxes.clip(image_size)
            kept = suppress(candidates, self.test_nms_thresh, self.max_detections_per_image)
            found.append(vote(kept, candidates) if self.score_voting else kept)
        return found
