"""Region proposal network.

Shapes: B images, L levels, A anchors a location; R = H * W * A anchors on a level, T = their sum
over the levels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ...config import CfgNode, configurable
from ...layers import ShapeSpec
from ...structures import Boxes, ImageList, Instances
from ...utils.events import get_event_storage
from ..anchor_generator import build_anchor_generator, permute_to_N_HWA_K
from ..box_regression import Box2BoxTransform, _dense_box_regression_loss
from ..matcher import Matcher, boxes_of_matches, match_by_iou
from ..sampling import subsample_labels
from .build import PROPOSAL_GENERATOR_REGISTRY
from .proposal_utils import find_top_rpn_proposals, gather_rows, select_top
from .rpn_head import RPN_HEAD_REGISTRY, StandardRPNHead, build_rpn_head

__all__ = ["RPN", "RPN_HEAD_REGISTRY", "StandardRPNHead", "build_rpn_head"]


@PROPOSAL_GENERATOR_REGISTRY.register()
class RPN(nn.Module):
    """Scores and shifts anchors, and hands the best on as proposals."""

    @configurable
    def __init__(
        self,
        *,
        in_features: list[str],
        head: nn.Module,
        anchor_generator: nn.Module,
        anchor_matcher: Matcher,
        box2box_transform: Box2BoxTransform,
        batch_size_per_image: int,
        positive_fraction: float,
        pre_nms_topk: tuple[int, int],
        post_nms_topk: tuple[int, int],
        nms_thresh: float = 0.7,
        min_box_size: float = 0.0,
        anchor_boundary_thresh: float = -1.0,
        loss_weight: float | dict[str, float] = 1.0,
        box_reg_loss_type: str = "smooth_l1",
        smooth_l1_beta: float = 0.0,
    ) -> None:
        """
        Args:
            in_features: names of the feature maps, finest first.
            head: L feature maps to logits and deltas, see `RPN_HEAD_REGISTRY`.
            anchor_generator: L feature maps to L `Boxes`.
            anchor_matcher, box2box_transform: anchors to ground truth; with deltas to boxes.
            batch_size_per_image: anchors an image that enter the loss.
            positive_fraction: at most this part of them are positives.
            pre_nms_topk, post_nms_topk: boxes a level before the NMS, and proposals an image
                after it, each as (training, inference).
            nms_thresh, min_box_size: see `find_top_rpn_proposals`.
            anchor_boundary_thresh: ignore anchors that stick out of the image by more than this
                in training; negative to use all.
            loss_weight: one factor, or one for each of "loss_rpn_cls" and "loss_rpn_loc".
            box_reg_loss_type, smooth_l1_beta: `kind` and `beta` of `matched_box_loss`.
        """
        super().__init__()
        if not isinstance(loss_weight, dict):
            loss_weight = {"loss_rpn_cls": loss_weight, "loss_rpn_loc": loss_weight}
        self.in_features = in_features
        self.rpn_head = head
        self.anchor_generator = anchor_generator
        self.anchor_matcher = anchor_matcher
        self.box2box_transform = box2box_transform
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction
        # Indexed by self.training.
        self.pre_nms_topk = dict(zip((True, False), pre_nms_topk, strict=True))
        self.post_nms_topk = dict(zip((True, False), post_nms_topk, strict=True))
        self.nms_thresh = nms_thresh
        self.min_box_size = float(min_box_size)
        self.anchor_boundary_thresh = anchor_boundary_thresh
        self.loss_weight = loss_weight
        self.box_reg_loss_type = box_reg_loss_type
        self.smooth_l1_beta = smooth_l1_beta

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        keys = cfg.MODEL.RPN
        shapes = [input_shape[name] for name in keys.IN_FEATURES]
        return {
            "in_features": keys.IN_FEATURES,
            "head": build_rpn_head(cfg, shapes),
            "anchor_generator": build_anchor_generator(cfg, shapes),
            "anchor_matcher": Matcher(
                keys.IOU_THRESHOLDS, keys.IOU_LABELS, allow_low_quality_matches=True
            ),
            "box2box_transform": Box2BoxTransform(weights=keys.BBOX_REG_WEIGHTS),
            "batch_size_per_image": keys.BATCH_SIZE_PER_IMAGE,
            "positive_fraction": keys.POSITIVE_FRACTION,
            "pre_nms_topk": (keys.PRE_NMS_TOPK_TRAIN, keys.PRE_NMS_TOPK_TEST),
            "post_nms_topk": (keys.POST_NMS_TOPK_TRAIN, keys.POST_NMS_TOPK_TEST),
            "nms_thresh": keys.NMS_THRESH,
            "min_box_size": cfg.MODEL.PROPOSAL_GENERATOR.MIN_SIZE,
            "anchor_boundary_thresh": keys.BOUNDARY_THRESH,
            "loss_weight": {
                "loss_rpn_cls": keys.LOSS_WEIGHT,
                "loss_rpn_loc": keys.BBOX_REG_LOSS_WEIGHT * keys.LOSS_WEIGHT,
            },
            "box_reg_loss_type": keys.BBOX_REG_LOSS_TYPE,
            "smooth_l1_beta": keys.SMOOTH_L1_BETA,
        }

    def forward(
        self,
        images: ImageList,
        features: dict[str, torch.Tensor],
        gt_instances: list[Instances] | None = None,
    ) -> tuple[list[Instances], dict[str, torch.Tensor]]:
        """Proposals of each image, and in training mode, which needs `gt_boxes`, the losses.

        Returns:
            B `Instances` with `proposal_boxes` and `objectness_logits`, highest logit first, and
            a dict with "loss_rpn_cls" and "loss_rpn_loc", empty in evaluation mode.
        """
        maps = [features[name] for name in self.in_features]
        anchors = self.anchor_generator(maps)
        logit_maps, delta_maps = self.rpn_head(maps)
        logits = [permute_to_N_HWA_K(x, 1).squeeze(2) for x in logit_maps]
        dim: Any = self.anchor_generator.box_dim
        deltas = [permute_to_N_HWA_K(x, dim) for x in delta_maps]
        losses: dict[str, torch.Tensor] = {}
        if self.training:
            assert gt_instances is not None, "training needs ground truth"
            gt_labels, gt_boxes = self.label_and_sample_anchors(anchors, gt_instances)
            losses = self.losses(anchors, logits, gt_labels, deltas, gt_boxes)
        return self.predict_proposals(anchors, logits, deltas, images.image_sizes), losses

    @torch.no_grad()
    def label_and_sample_anchors(
        self, anchors: list[Boxes], gt_instances: list[Instances]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Match L `Boxes` of anchors in each of B images and draw those that enter the loss.

        Returns:
            B labels (T,): 1 positive, 0 negative, -1 left out; and B tensors (T, 4) with the box
            of each positive, undefined elsewhere.
        """
        joined = Boxes.cat(anchors)
        labels, boxes = [], []
        for instances in gt_instances:
            matches, label = match_by_iou(self.anchor_matcher, instances.gt_boxes, joined)
            if self.anchor_boundary_thresh >= 0:
                inside = joined.inside_box(instances.image_size, self.anchor_boundary_thresh)
                label[~inside] = -1
            positive, negative = subsample_labels(
                label, self.batch_size_per_image, self.positive_fraction, 0
            )
            label.fill_(-1)
            label[positive] = 1
            label[negative] = 0
            labels.append(label)
            boxes.append(boxes_of_matches(instances.gt_boxes, matches))
        return labels, boxes

    def losses(
        self,
        anchors: list[Boxes],
        pred_objectness_logits: list[torch.Tensor],
        gt_labels: list[torch.Tensor],
        pred_anchor_deltas: list[torch.Tensor],
        gt_boxes: list[torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """Losses of a batch, each divided by B * `batch_size_per_image`.

        Args:
            anchors: L `Boxes`.
            pred_objectness_logits: L tensors (B, R).
            gt_labels, gt_boxes: what `label_and_sample_anchors` returned.
            pred_anchor_deltas: L tensors (B, R, 4).
        """
        labels = torch.stack(gt_labels)
        images = len(gt_labels)
        positive = labels == 1
        # One transfer for both counts.
        counts = torch.stack([positive.sum(), (labels == 0).sum()]).tolist()
        storage = get_event_storage()
        storage.put_scalar("rpn/num_pos_anchors", counts[0] / images)
        storage.put_scalar("rpn/num_neg_anchors", counts[1] / images)

        localization = _dense_box_regression_loss(
            anchors,
            self.box2box_transform,
            pred_anchor_deltas,
            gt_boxes,
            positive,
            box_reg_loss_type=self.box_reg_loss_type,
            smooth_l1_beta=self.smooth_l1_beta,
        )
        sampled = labels >= 0
        objectness = F.binary_cross_entropy_with_logits(
            torch.cat(pred_objectness_logits, dim=1)[sampled],
            labels[sampled].float(),
            reduction="sum",
        )
        losses = {"loss_rpn_cls": objectness, "loss_rpn_loc": localization}
        normalizer = self.batch_size_per_image * images
        return {k: v / normalizer * self.loss_weight.get(k, 1.0) for k, v in losses.items()}

    @torch.no_grad()
    def predict_proposals(
        self,
        anchors: list[Boxes],
        pred_objectness_logits: list[torch.Tensor],
        pred_anchor_deltas: list[torch.Tensor],
        image_sizes: Sequence[Any],
    ) -> list[Instances]:
        """The best proposals of each image, as `forward` returns them; arguments as of `losses`.

        Without gradient: the heads take proposals as given and not as outputs to improve.
        """
        boxes, scores = [], []
        levels = zip(anchors, pred_objectness_logits, pred_anchor_deltas, strict=True)
        for anchor, logits, deltas in levels:
            # Choose first, then decode: most boxes of a fine level never get decoded.
            top, index = select_top(logits, self.pre_nms_topk[self.training])
            chosen = gather_rows(deltas, index)
            decoded = self.box2box_transform.apply_deltas(
                chosen.flatten(0, 1), anchor.tensor[index].flatten(0, 1)
            )
            boxes.append(decoded.reshape(chosen.shape))
            scores.append(top)
        return find_top_rpn_proposals(
            boxes,
            scores,
            image_sizes,
            self.nms_thresh,
            self.pre_nms_topk[self.training],
            self.post_nms_topk[self.training],
            self.min_box_size,
            self.training,
        )
