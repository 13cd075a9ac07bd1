"""RetinaNet: anchors on every position, and a focal loss against the many of the background.

Shapes: B images, L levels of H_i x W_i, A anchors at each position; R_i = H_i * W_i * A of
them on a level, R = their sum; K classes, where class K is the background.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ...config import CfgNode, configurable
from ...host import refuse_pictures
from ...structures import Boxes, ImageList, Instances
from ..anchor_generator import build_anchor_generator
from ..backbone import Backbone, build_backbone
from ..box_regression import Box2BoxTransform, _dense_box_regression_loss
from ..matcher import Matcher, match_by_iou
from .build import META_ARCH_REGISTRY
from .dense_detector import DenseDetector, focal_class_loss, permute_to_N_HWA_K
from .retinanet_head import RetinaNetHead

__all__ = ["RetinaNet", "RetinaNetHead", "permute_to_N_HWA_K"]

# Saved lazy configs name the module of a class, and Detectron2 has this one here.
RetinaNetHead.__module__ = __name__


@META_ARCH_REGISTRY.register()
class RetinaNet(DenseDetector):
    """Scores each class and shifts the box of every anchor, in one stage."""

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        head: torch.nn.Module,
        head_in_features: Sequence[str],
        anchor_generator: torch.nn.Module,
        box2box_transform: Box2BoxTransform,
        anchor_matcher: Matcher,
        num_classes: int,
        focal_loss_alpha: float = 0.25,
        focal_loss_gamma: float = 2.0,
        smooth_l1_beta: float = 0.0,
        box_reg_loss_type: str = "smooth_l1",
        test_score_thresh: float = 0.05,
        test_topk_candidates: int = 1000,
        test_nms_thresh: float = 0.5,
        max_detections_per_image: int = 100,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        vis_period: int = 0,
        input_format: str = "BGR",
    ) -> None:
        """
        Args:
            backbone, head_in_features, pixel_mean, pixel_std: see :class:`DenseDetector`.
            head: L feature maps to logits and deltas, as :class:`RetinaNetHead`.
            anchor_generator: L feature maps to L `Boxes`.
            box2box_transform: anchors and deltas to boxes.
            anchor_matcher: anchors to ground truth.
            num_classes: K, without the background.
            focal_loss_alpha: weight of the positives, 1 - it that of the negatives; negative: none.
            focal_loss_gamma: the higher, the less the easy anchors weigh.
            box_reg_loss_type, smooth_l1_beta: `kind` and `beta` of `matched_box_loss`.
            test_score_thresh: a score must be higher than this.
            test_topk_candidates: candidates a level that go into the NMS.
            test_nms_thresh: IoU over which the lower scored of two detections of a class goes.
            max_detections_per_image: most detections to return.
            vis_period: must be 0; minid2 draws no pictures of the training.
            input_format: meaning of the channels ("BGR", "RGB", ...); only kept.
        """
        super().__init__(
            backbone, head, head_in_features, pixel_mean=pixel_mean, pixel_std=pixel_std
        )
        refuse_pictures(vis_period)
        self.num_classes = num_classes
        self.anchor_generator = anchor_generator
        self.box2box_transform = box2box_transform
        self.anchor_matcher = anchor_matcher
        self.focal_loss_alpha = focal_loss_alpha
        self.focal_loss_gamma = focal_loss_gamma
        self.smooth_l1_beta = smooth_l1_beta
        self.box_reg_loss_type = box_reg_loss_type
        self.test_score_thresh = test_score_thresh
        self.test_topk_candidates = test_topk_candidates
        self.test_nms_thresh = test_nms_thresh
        self.max_detections_per_image = max_detections_per_image
        self.input_format = input_format

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        keys = cfg.MODEL.RETINANET
        backbone = build_backbone(cfg)
        shapes = backbone.output_shape()
        levels = [shapes[name] for name in keys.IN_FEATURES]
        return {
            "backbone": backbone,
            "head": RetinaNetHead(cfg, levels),
            "head_in_features": keys.IN_FEATURES,
            "anchor_generator": build_anchor_generator(cfg, levels),
            "box2box_transform": Box2BoxTransform(weights=keys.BBOX_REG_WEIGHTS),
            "anchor_matcher": Matcher(
                keys.IOU_THRESHOLDS, keys.IOU_LABELS, allow_low_quality_matches=True
            ),
            "num_classes": keys.NUM_CLASSES,
            "focal_loss_alpha": keys.FOCAL_LOSS_ALPHA,
            "focal_loss_gamma": keys.FOCAL_LOSS_GAMMA,
            "smooth_l1_beta": keys.SMOOTH_L1_LOSS_BETA,
            "box_reg_loss_type": keys.BBOX_REG_LOSS_TYPE,
            "test_score_thresh": keys.SCORE_THRESH_TEST,
            "test_topk_candidates": keys.TOPK_CANDIDATES_TEST,
            "test_nms_thresh": keys.NMS_THRESH_TEST,
            "max_detections_per_image": cfg.TEST.DETECTIONS_PER_IMAGE,
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "vis_period": cfg.VIS_PERIOD,
            "input_format": cfg.INPUT.FORMAT,
        }

    def forward_training(
        self, images: ImageList, features: list, predictions: Any, gt_instances: Any
    ) -> dict[str, torch.Tensor]:
        """`losses` against the ground truth that each anchor is matched to."""
        logits, deltas = self._transpose_dense_predictions(predictions, [self.num_classes, 4])
        anchors = self.anchor_generator(features)
        gt_labels, gt_boxes = self.label_anchors(anchors, gt_instances)
        return self.losses(anchors, logits, gt_labels, deltas, gt_boxes)

    def _assign(
        self, anchors: list[Boxes], instances: Instances
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return match_by_iou(self.anchor_matcher, instances.gt_boxes, Boxes.cat(anchors))

    def losses(
        self,
        anchors: list[Boxes],
        pred_logits: list[torch.Tensor],
        gt_labels: list[torch.Tensor],
        pred_anchor_deltas: list[torch.Tensor],
        gt_boxes: list[torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """Losses "loss_cls" and "loss_box_reg" of a batch, each over a mean number of objects.

        Args:
            anchors: L `Boxes`.
            pred_logits: L tensors (B, R_i, K).
            gt_labels, gt_boxes: what `label_anchors` returned.
            pred_anchor_deltas: L tensors (B, R_i, 4).
        """
        labels = torch.stack(gt_labels)
        positive = (labels >= 0) & (labels != self.num_classes)
        normalizer = self._foreground_normalizer(positive, initial=100)
        classification = focal_class_loss(
            torch.cat(pred_logits, dim=1), labels, self.focal_loss_alpha, self.focal_loss_gamma
        )
        localization = _dense_box_regression_loss(
            anchors,
            self.box2box_transform,
            pred_anchor_deltas,
            gt_boxes,
            positive,
            self.box_reg_loss_type,
            self.smooth_l1_beta,
        )
        losses = {"loss_cls": classification, "loss_box_reg": localization}
        return {name: value / normalizer for name, value in losses.items()}

    def forward_inference(
        self, images: ImageList, features: list[torch.Tensor], predictions: list[list[torch.Tensor]]
    ) -> list[Instances]:
        """Detections of each image, as `inference_single_image` returns them."""
        logits, deltas = self._transpose_dense_predictions(predictions, [self.num_classes, 4])
        anchors = self.anchor_generator(features)
        scores = [level.sigmoid() for level in logits]
        return self._inference_by_image(anchors, scores, deltas, images)
