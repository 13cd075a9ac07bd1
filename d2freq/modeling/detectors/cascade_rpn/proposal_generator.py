"""Cascade RPN (Vu et al., NeurIPS 2019) as a proposal generator.

Shape shorthand: B images, L levels, R anchors of a level, one a cell, T anchors over all levels.

The anchors of the second stage are boxes of the first one, so they differ between images: they are
(B, R, 4), where Detectron2's RPN has one list for the batch.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling.anchor_generator import build_anchor_generator
from detectron2.modeling.box_regression import Box2BoxTransform
from detectron2.modeling.proposal_generator import PROPOSAL_GENERATOR_REGISTRY
from detectron2.modeling.proposal_generator.proposal_utils import find_top_rpn_proposals
from detectron2.modeling.sampling import subsample_labels
from detectron2.structures import ImageList, Instances
from detectron2.utils.events import get_event_storage
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.detectors.box_transform import box_transform
from d2freq.modeling.detectors.cascade_rpn.anchors import check_anchors, side_of
from d2freq.modeling.detectors.cascade_rpn.boxes import boxes_of, image_limits
from d2freq.modeling.detectors.cascade_rpn.config import cascade_rpn_keys
from d2freq.modeling.detectors.cascade_rpn.head import CascadeRPNHead
from d2freq.modeling.detectors.cascade_rpn.matcher import Matching, matcher_of
from d2freq.modeling.detectors.cascade_rpn.regions import RegionAssigner
from d2freq.modeling.registration import register
from d2freq.ops.box_losses import iou_loss
from d2freq.utils.own_keys import own_keys
from d2freq.utils.ranges import POSITIVE, WEIGHT, check_ranges

__all__ = ["CascadeRPN"]

RANGES = {"STAGE1_DIVISOR": POSITIVE, "LOC_WEIGHT": WEIGHT, "CLS_WEIGHT": WEIGHT}


@register(PROPOSAL_GENERATOR_REGISTRY)
class CascadeRPN(nn.Module):
    """Anchors that are moved once, then scored and moved again by features read along them.

    Only the second stage classifies. Its losses are "loss_rpn_loc_stage0", "loss_rpn_cls_stage1"
    and "loss_rpn_loc_stage1".
    """

    anchor_generator: Any  # torch knows modules and tensors alone

    @configurable
    def __init__(
        self,
        *,
        in_features: Sequence[str],
        head: nn.Module,
        anchor_generator: nn.Module,
        region_assigner: RegionAssigner,
        anchor_matcher: Matching,
        box2box_transforms: Sequence[Box2BoxTransform],
        batch_size_per_image: int,
        positive_fraction: float,
        pre_nms_topk: tuple[int, int],
        post_nms_topk: tuple[int, int],
        nms_thresh: float = 0.8,
        min_box_size: float = 0.0,
        loc_weight: float = 7.0,
        cls_weight: float = 0.7,
        stage1_divisor: float = 200.0,
    ) -> None:
        """
        Args:
            in_features: names of L feature maps, finest first.
            head: as :class:`CascadeRPNHead`.
            anchor_generator: Detectron2's, with one anchor a cell and offset 0; sides are in
                proportion to the strides.
            region_assigner: labels of the first stage.
            anchor_matcher: labels of the second one; from (N, 4) objects and (T, 4) boxes to
                matches (T,) int64 and labels (T,) int8, as :class:`MaxIoUAssigner`.
            box2box_transforms: of both stages.
            batch_size_per_image, positive_fraction: boxes an image that enter the second stage's
                loss, and at most so many of them positive.
            pre_nms_topk, post_nms_topk, nms_thresh, min_box_size: see Detectron2's RPN.
            loc_weight, cls_weight: of the box losses and of the classification.
            stage1_divisor: the first stage's loss is divided by B * T over this.

        Raises:
            UserError: anchors or a number that the method cannot take, or not two transforms.
        """
        super().__init__()
        if len(box2box_transforms) != 2:
            raise UserError(
                f"MODEL.CASCADE_RPN.BBOX_REG_WEIGHTS: {len(box2box_transforms)} lists for the two "
                "stages; give two of four factors"
            )
        numbers = dict(zip(RANGES, (stage1_divisor, loc_weight, cls_weight), strict=True))
        check_ranges(numbers, RANGES, section="MODEL.CASCADE_RPN")
        check_anchors(anchor_generator)
        self.in_features = list(in_features)
        self.rpn_head = head
        self.anchor_generator = anchor_generator
        self.region_assigner = region_assigner
        self.anchor_matcher = anchor_matcher
        self.box2box_transforms = list(box2box_transforms)
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction
        self.pre_nms_topk = dict(zip((True, False), pre_nms_topk, strict=True))  # by self.training
        self.post_nms_topk = dict(zip((True, False), post_nms_topk, strict=True))
        self.nms_thresh = nms_thresh
        self.min_box_size = float(min_box_size)
        self.loc_weight = loc_weight
        self.cls_weight = cls_weight
        self.stage1_divisor = stage1_divisor

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """MODEL.CASCADE_RPN, and of MODEL.RPN what its comment names.

        Raises:
            UserError: MODEL.RPN.BOUNDARY_THRESH leaves anchors out.
        """
        own, rpn = own_keys(cfg, "MODEL.CASCADE_RPN", cascade_rpn_keys()), cfg.MODEL.RPN
        if rpn.BOUNDARY_THRESH >= 0:
            raise UserError(
                f"MODEL.RPN.BOUNDARY_THRESH: CascadeRPN leaves no anchor out, got "
                f"{rpn.BOUNDARY_THRESH}; set -1"
            )
        shapes = [input_shape[name] for name in rpn.IN_FEATURES]
        return {
            "in_features": rpn.IN_FEATURES,
            "head": CascadeRPNHead(cfg, shapes),
            "anchor_generator": build_anchor_generator(cfg, shapes),
            "region_assigner": RegionAssigner(
                center_ratio=own.CENTER_RATIO, ignore_ratio=own.IGNORE_RATIO
            ),
            "anchor_matcher": matcher_of(cfg, own),
            "box2box_transforms": [
                box_transform(factors, key="MODEL.CASCADE_RPN.BBOX_REG_WEIGHTS, of each stage")
                for factors in own.BBOX_REG_WEIGHTS
            ],
            "batch_size_per_image": rpn.BATCH_SIZE_PER_IMAGE,
            "positive_fraction": rpn.POSITIVE_FRACTION,
            "pre_nms_topk": (rpn.PRE_NMS_TOPK_TRAIN, rpn.PRE_NMS_TOPK_TEST),
            "post_nms_topk": (rpn.POST_NMS_TOPK_TRAIN, rpn.POST_NMS_TOPK_TEST),
            "nms_thresh": rpn.NMS_THRESH,
            "min_box_size": cfg.MODEL.PROPOSAL_GENERATOR.MIN_SIZE,
            "loc_weight": own.LOC_WEIGHT,
            "cls_weight": own.CLS_WEIGHT,
            "stage1_divisor": own.STAGE1_DIVISOR,
        }

    def forward(
        self,
        images: ImageList,
        features: dict[str, Tensor],
        gt_instances: list[Instances] | None = None,
    ) -> tuple[list[Instances], dict[str, Tensor]]:
        """See Detectron2's RPN.forward: B proposals, and in training three losses."""
        maps = [features[name] for name in self.in_features]
        anchors = [level.tensor for level in self.anchor_generator(maps)]
        limits = image_limits(images.image_sizes, anchors[0])
        moves, refined, logits, deltas = self.both_stages(maps, anchors, limits)
        losses: dict[str, Tensor] = {}
        if self.training:
            if gt_instances is None:
                raise UserError("CascadeRPN: training needs the ground truth, gt_instances")
            shapes = [(level.shape[2], level.shape[3]) for level in maps]
            losses = {
                **self.first_losses(anchors, moves, gt_instances, shapes),
                **self.second_losses(refined, logits, deltas, gt_instances),
            }
        with torch.no_grad():
            proposals = find_top_rpn_proposals(
                self.decode(1, deltas, refined),
                logits,
                images.image_sizes,
                self.nms_thresh,
                self.pre_nms_topk[self.training],
                self.post_nms_topk[self.training],
                self.min_box_size,
                self.training,
            )
        return proposals, losses

    def both_stages(
        self, maps: list[Tensor], anchors: list[Tensor], limits: Tensor
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """What the head says of L maps (B, C, H, W).

        Args:
            maps: the features.
            anchors: L tensors (R, 4).
            limits: of :func:`image_limits`.

        Returns:
            Deltas and boxes of the first stage, logits (B, R) and deltas of the second one; boxes
            and deltas are L tensors (B, R, 4).
        """
        refined: list[Tensor] = []

        def refine(moves: list[Tensor]) -> list[Tensor]:
            refined.extend(self.refine(anchors, moves, limits))
            return refined

        moves, logits, deltas = self.rpn_head(maps, refine)
        return moves, refined, logits, deltas

    @torch.no_grad()
    def refine(self, anchors: list[Tensor], moves: list[Tensor], limits: Tensor) -> list[Tensor]:
        """Boxes of the first stage within the images, (B, R, 4) a level, without gradient.

        Args:
            anchors: L tensors (R, 4).
            moves: the first stage's deltas, L tensors (B, R, 4).
            limits: of :func:`image_limits`.
        """
        found = self.decode(0, moves, anchors)
        return [torch.minimum(boxes.clamp(min=0), limits) for boxes in found]

    def decode(self, stage: int, deltas: list[Tensor], anchors: list[Tensor]) -> list[Tensor]:
        """Boxes, L tensors (B, R, 4) float32, of deltas likewise at anchors (R, 4) or (B, R, 4)."""
        transform, boxes = self.box2box_transforms[stage], []
        for each, anchor in zip(deltas, anchors, strict=True):
            sources = anchor.expand_as(each).reshape(-1, 4)
            boxes.append(transform.apply_deltas(each.reshape(-1, 4), sources).reshape(each.shape))
        return boxes

    def first_losses(
        self,
        anchors: list[Tensor],
        moves: list[Tensor],
        gt_instances: list[Instances],
        shapes: list[tuple[int, int]],
    ) -> dict[str, Tensor]:
        """The box loss of the first stage: 1 - IoU of all positives."""
        strides, joined = self.anchor_generator.strides, torch.cat(anchors)
        smallest = side_of(anchors[0][0])
        labels, boxes = [], []
        for instances in gt_instances:
            truth = instances.gt_boxes.tensor
            matches, label = self.region_assigner(
                truth, shapes=shapes, strides=strides, smallest=smallest
            )
            labels.append(label)
            boxes.append(boxes_of(truth, matches))
        positive, total = torch.stack(labels) == 1, len(labels) * len(joined)
        loss = self._box_loss(0, torch.cat(moves, dim=1), joined, boxes, positive)
        get_event_storage().put_scalar(
            "rpn/num_pos_anchors_stage0", float(positive.sum()) / len(labels)
        )
        return {"loss_rpn_loc_stage0": loss * self.loc_weight * self.stage1_divisor / total}

    def second_losses(
        self,
        refined: list[Tensor],
        logits: list[Tensor],
        deltas: list[Tensor],
        gt_instances: list[Instances],
    ) -> dict[str, Tensor]:
        """Both losses of the second stage, over the boxes that are drawn."""
        anchors = torch.cat(refined, dim=1)
        labels, boxes = [], []
        for instances, own in zip(gt_instances, anchors, strict=True):
            truth = instances.gt_boxes.tensor
            matches, label = self.anchor_matcher(truth, own)
            chosen = subsample_labels(label, self.batch_size_per_image, self.positive_fraction, 0)
            drawn = torch.full_like(label, -1)
            drawn[chosen[0]], drawn[chosen[1]] = 1, 0
            labels.append(drawn)
            boxes.append(boxes_of(truth, matches))
        drawn = torch.stack(labels)
        positive, is_drawn = drawn == 1, drawn >= 0
        counts = torch.stack([positive.sum(), is_drawn.sum()]).tolist()
        storage = get_event_storage()
        storage.put_scalar("rpn/num_pos_anchors", counts[0] / len(labels))
        storage.put_scalar("rpn/num_neg_anchors", (counts[1] - counts[0]) / len(labels))
        classes = F.binary_cross_entropy_with_logits(
            torch.cat(logits, dim=1)[is_drawn], drawn[is_drawn].float(), reduction="sum"
        )
        loss = self._box_loss(1, torch.cat(deltas, dim=1), anchors, boxes, positive)
        total = max(counts[1], 1)
        return {
            "loss_rpn_cls_stage1": classes * self.cls_weight / total,
            "loss_rpn_loc_stage1": loss * self.loc_weight / total,
        }

    def _box_loss(
        self,
        stage: int,
        deltas: Tensor,
        anchors: Tensor,
        truth: list[Tensor],
        positive: Tensor,
    ) -> Tensor:
        """Sum of 1 - IoU over the positives (B, T); anchors are (T, 4) or (B, T, 4)."""
        sources = anchors.expand(len(truth), -1, -1)[positive]
        found = self.box2box_transforms[stage].apply_deltas(deltas[positive], sources)
        return iou_loss(found, torch.stack(truth)[positive], reduction="sum")
