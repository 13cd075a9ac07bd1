"""RetinaNet: anchors on every position, and a focal loss against the many of the background.

Shapes: B images, L levels of H_i x W_i, A anchors at each position; R_i = H_i * W_i * A of
them on a level, R = their sum; K classes, where class K is the background.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from ...config import CfgNode, configurable
from ...host import refuse
from ...layers import CycleBatchNormList, ShapeSpec, get_norm
from ...structures import Boxes, ImageList, Instances
from ..anchor_generator import build_anchor_generator
from ..backbone import Backbone, build_backbone
from ..box_regression import Box2BoxTransform, _dense_box_regression_loss
from ..matcher import Matcher, match_by_iou
from .build import META_ARCH_REGISTRY
from .dense_detector import DenseDetector, focal_class_loss, permute_to_N_HWA_K

__all__ = ["RetinaNet", "RetinaNetHead", "permute_to_N_HWA_K"]


@META_ARCH_REGISTRY.register()
class RetinaNet(DenseDetector):
    """Scores each class and shifts the box of every anchor, in one stage."""

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        head: nn.Module,
        head_in_features: Sequence[str],
        anchor_generator: nn.Module,
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
            box2box_transform, anchor_matcher: anchors with deltas to boxes; to ground truth.
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
        refuse("VIS_PERIOD", vis_period)
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


def _make_norm(norm: str | Callable, channels: int, levels: int) -> nn.Module | None:
    by_level = {"BN": nn.BatchNorm2d, "SyncBN": nn.SyncBatchNorm}
    if isinstance(norm, str) and norm in by_level:
        # All levels come by in turns and differ, so each gets statistics of its own.
        return CycleBatchNormList(levels, by_level[norm], num_features=channels)
    return get_norm(norm, channels)


class RetinaNetHead(nn.Module):
    """The same two towers on every level, and a 3x3 convolution on top of each."""

    @configurable
    def __init__(
        self,
        *,
        input_shape: list[ShapeSpec],
        num_classes: int,
        num_anchors: int,
        conv_dims: list[int],
        norm: str | Callable = "",
        prior_prob: float = 0.01,
    ) -> None:
        """
        Args:
            input_shape: of the levels, which agree in channels.
            num_classes, num_anchors: K, without the background, and A.
            conv_dims: channels of the convolutions of each tower.
            norm: see `get_norm`; between each of these and its ReLU.
            prior_prob: score of every anchor at the start. Without a low one the loss of the many
                background anchors would blow up (RetinaNet, 4.1).
        """
        super().__init__()
        assert input_shape[0].channels is not None
        towers: list[list[nn.Module]] = [[], []]
        width = input_shape[0].channels
        for dim in conv_dims:
            for tower in towers:
                tower.append(nn.Conv2d(width, dim, kernel_size=3, padding=1))
                layer = _make_norm(norm, dim, levels=len(input_shape))
                tower += [nn.ReLU()] if layer is None else [layer, nn.ReLU()]
            width = dim
        self.cls_subnet = nn.Sequential(*towers[0])
        self.bbox_subnet = nn.Sequential(*towers[1])
        self.cls_score = nn.Conv2d(width, num_anchors * num_classes, kernel_size=3, padding=1)
        self.bbox_pred = nn.Conv2d(width, num_anchors * 4, kernel_size=3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.01)  # RetinaNet, 4.1
                nn.init.zeros_(layer.bias)
        assert self.cls_score.bias is not None
        nn.init.constant_(self.cls_score.bias, -math.log((1 - prior_prob) / prior_prob))

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: list[ShapeSpec]) -> dict[str, Any]:
        """Explicit arguments from a config; all levels must agree in their number of anchors."""
        keys = cfg.MODEL.RETINANET
        anchors: Any = build_anchor_generator(cfg, input_shape)
        counts = set(anchors.num_anchors)
        if len(counts) != 1:
            raise ValueError(f"RetinaNet needs one number of anchors on all levels, got {counts}")
        return {
            "input_shape": input_shape,
            "num_classes": keys.NUM_CLASSES,
            "num_anchors": counts.pop(),
            "conv_dims": [input_shape[0].channels] * keys.NUM_CONVS,
            "norm": keys.NORM,
            "prior_prob": keys.PRIOR_PROB,
        }

    def forward(
        self, features: list[torch.Tensor]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Logits (B, A * K, H, W) and deltas (B, A * 4, H, W) of maps (B, C, H, W), by level."""
        logits = [self.cls_score(self.cls_subnet(level)) for level in features]
        return logits, [self.bbox_pred(self.bbox_subnet(level)) for level in features]
