"""FCOS by name in a YAML config, and as the baselines of SET train it.

Shapes: B images, L levels of H_i x W_i, R points over all levels, K classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, build_backbone
from detectron2.modeling.backbone import Backbone
from detectron2.modeling.meta_arch.fcos import FCOS as PlainFCOS
from detectron2.modeling.meta_arch.fcos import FCOSHead
from detectron2.structures import Boxes, ImageList, Instances
from detectron2.utils.events import get_event_storage
from torch import Tensor, nn

from d2freq.modeling.assignment.points import label_points_in_chunks
from d2freq.modeling.detectors.fcos.config import fcos_keys
from d2freq.modeling.detectors.fcos.inference import detect_by_probability
from d2freq.modeling.detectors.fcos.losses import (
    box_losses,
    centerness_loss,
    class_loss,
    mean_over_processes,
)
from d2freq.modeling.detectors.fcos.options import check_options
from d2freq.modeling.detectors.levels import asked_levels
from d2freq.modeling.detectors.numbers_of_heads import check_head
from d2freq.modeling.ground_truth import check_classes_of_records
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys

__all__ = ["FCOS"]


@register(META_ARCH_REGISTRY)
class FCOS(PlainFCOS):
    """Detectron2's FCOS with keys, MODEL.FCOS; with default options it is that class bit by bit.

    The options are what published tables of tiny-object detectors did otherwise. One thing is
    otherwise always: a point within several objects belongs to the smallest of them (of areas below
    1e8 square pixels, Detectron2's bound; a larger object has no point). Detectron2 compares
    1e8 less the area in float32, which cannot tell areas within 4 square pixels apart.

    Examples:
        >>> import torch
        >>> import d2freq
        >>> from detectron2.config import get_cfg
        >>> from d2freq.modeling.detectors.fcos import FCOS
        >>> cfg = get_cfg()
        >>> d2freq.add_d2freq_config(cfg)
        >>> cfg.MODEL.BACKBONE.NAME = "build_mobilenetv2_hsfpn_backbone"
        >>> cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
        >>> cfg.MODEL.FPN.OUT_CHANNELS = 32
        >>> cfg.MODEL.FCOS.IN_FEATURES = ["p2", "p3", "p4"]
        >>> model = FCOS(cfg).eval()
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
        box2box_transform: Any = None,
        center_sampling_radius: float = 1.5,
        focal_loss_alpha: float = 0.25,
        focal_loss_gamma: float = 2.0,
        test_score_thresh: float = 0.2,
        test_topk_candidates: int = 1000,
        test_nms_thresh: float = 0.6,
        max_detections_per_image: int = 100,
        box_loss: str = "giou",
        centerness_weighted: bool = False,
        normalizer: str = "average",
        score: str = "root",
        inference: str = "detectron2",
        input_format: str = "BGR",
    ) -> None:
        """
        Args:
            box_loss: "giou", "diou", "iou" or "nwd".
            centerness_weighted: a point's box loss counts as much as the point is central; their
                sum is divided by the sum of these weights.
            normalizer: "average", of the number of positive points, or "batch", their number now.
            score: "root" or "product" of probability and centerness.
            inference: "detectron2", where ``test_score_thresh`` and ``test_topk_candidates`` go by
                the score, or "published", where they go by the probability and boxes are clipped
                to the image before suppression.
            input_format: meaning of the channels ("BGR", "RGB"); only kept, as by other detectors.
            (others): see :class:`detectron2.modeling.meta_arch.fcos.FCOS`.

        Raises:
            UserError: an option is none of its choices, or a number out of its range.
        """
        super().__init__(
            backbone=backbone,
            head=head,
            head_in_features=head_in_features,
            box2box_transform=box2box_transform,
            num_classes=num_classes,
            center_sampling_radius=center_sampling_radius,
            focal_loss_alpha=focal_loss_alpha,
            focal_loss_gamma=focal_loss_gamma,
            test_score_thresh=test_score_thresh,
            test_topk_candidates=test_topk_candidates,
            test_nms_thresh=test_nms_thresh,
            max_detections_per_image=max_detections_per_image,
            pixel_mean=pixel_mean,
            pixel_std=pixel_std,
        )
        check_options(
            num_classes=num_classes,
            center_sampling_radius=center_sampling_radius,
            focal_loss_alpha=focal_loss_alpha,
            focal_loss_gamma=focal_loss_gamma,
            score_thresh=test_score_thresh,
            topk_candidates=test_topk_candidates,
            nms_thresh=test_nms_thresh,
            limit=max_detections_per_image,
            box_loss=box_loss,
            normalizer=normalizer,
            score=score,
            inference=inference,
        )
        self.box_loss, self.normalizer = box_loss, normalizer
        self.score, self.inference = score, inference
        self.centerness_weighted = centerness_weighted
        self.input_format = input_format

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Explicit arguments from MODEL.FCOS; the backbone is MODEL.BACKBONE.NAME.

        Raises:
            UserError: MODEL.FCOS.IN_FEATURES asks for what the backbone does not give.
        """
        keys = own_keys(cfg, "MODEL.FCOS", fcos_keys())
        backbone = build_backbone(cfg)
        levels = asked_levels(cfg, backbone, keys.IN_FEATURES, key="MODEL.FCOS")
        check_head(
            section="MODEL.FCOS",
            num_classes=keys.NUM_CLASSES,
            num_convs=keys.NUM_CONVS,
            prior_prob=keys.PRIOR_PROB,
        )
        head = FCOSHead(
            input_shape=levels,
            num_classes=keys.NUM_CLASSES,
            conv_dims=[levels[0].channels] * keys.NUM_CONVS,
            norm=keys.NORM,
            prior_prob=keys.PRIOR_PROB,
        )
        return {
            "backbone": backbone,
            "head": head,
            "head_in_features": list(keys.IN_FEATURES),
            "num_classes": keys.NUM_CLASSES,
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "center_sampling_radius": keys.CENTER_SAMPLING_RADIUS,
            "focal_loss_alpha": keys.FOCAL_LOSS_ALPHA,
            "focal_loss_gamma": keys.FOCAL_LOSS_GAMMA,
            "test_score_thresh": keys.SCORE_THRESH_TEST,
            "test_topk_candidates": keys.TOPK_CANDIDATES_TEST,
            "test_nms_thresh": keys.NMS_THRESH_TEST,
            "max_detections_per_image": cfg.TEST.DETECTIONS_PER_IMAGE,
            "box_loss": keys.BOX_LOSS,
            "centerness_weighted": keys.CENTERNESS_WEIGHTED,
            "normalizer": keys.NORMALIZER,
            "score": keys.SCORE,
            "inference": keys.INFERENCE,
            "input_format": cfg.INPUT.FORMAT,
        }

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """See the parent.

        Raises:
            DatasetError: an object is of a class that the model does not know.
        """
        if self.training:
            check_classes_of_records(batched_inputs, self.num_classes, key="MODEL.FCOS.NUM_CLASSES")
        return super().forward(batched_inputs)

    @torch.no_grad()
    def label_anchors(
        self, anchors: list[Boxes], gt_instances: list[Instances]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The object of each point; see the parent, which gets the objects smallest first.

        It gives a point to the first of those that it cannot tell apart. A crowd's objects come a
        few at a time, in little memory.
        """
        ordered = [found[found.gt_boxes.area().argsort(stable=True)] for found in gt_instances]
        return label_points_in_chunks(
            super().label_anchors, anchors, ordered, background=self.num_classes
        )

    def losses(
        self,
        anchors: list[Boxes],
        pred_logits: list[Tensor],
        gt_labels: list[Tensor],
        pred_anchor_deltas: list[Tensor],
        gt_boxes: list[Tensor],
        pred_centerness: list[Tensor],
    ) -> dict[str, Tensor]:
        """Losses "loss_fcos_{cls,loc,ctr}"; see the parent, whose own they are by default.

        They are in float32, under automatic mixed precision too: corners of boxes of a few pixels
        do not bear rounding to quarter pixels, nor do the parent's box losses mix precisions.

        Args:
            anchors: L `Boxes`.
            pred_logits, pred_anchor_deltas, pred_centerness: L tensors (B, R_i, K or 4 or 1).
            gt_labels, gt_boxes: B tensors (R,) and (R, 4), what ``label_anchors`` returned.
        """
        pred_logits, pred_anchor_deltas, pred_centerness = (
            [level.float() for level in levels]
            for levels in (pred_logits, pred_anchor_deltas, pred_centerness)
        )
        given = (anchors, pred_logits, gt_labels, pred_anchor_deltas, gt_boxes, pred_centerness)
        plain = self.box_loss == "giou" and self.normalizer == "average"
        if plain and not self.centerness_weighted:
            return super().losses(*given)
        labels = torch.stack(gt_labels)
        positive = labels != self.num_classes
        central = self.compute_ctrness_targets(anchors, gt_boxes)[positive]
        boxes = box_losses(
            anchors,
            pred_anchor_deltas,
            gt_boxes,
            positive,
            transform=self.box2box_transform,
            kind=self.box_loss,
        )
        alpha, gamma = self.focal_loss_alpha, self.focal_loss_gamma
        normalizer = self._normalizer(positive)
        share: Any = normalizer
        if self.centerness_weighted:
            boxes, share = boxes * central, mean_over_processes(central.sum()).clamp(min=1e-6)
        return {
            "loss_fcos_cls": class_loss(pred_logits, labels, alpha=alpha, gamma=gamma) / normalizer,
            "loss_fcos_loc": boxes.sum() / share,
            "loss_fcos_ctr": centerness_loss(pred_centerness, central, positive) / normalizer,
        }

    def _normalizer(self, positive: Tensor) -> float:
        """What the sums over positive (B, R) points are divided by, and a line in the log."""
        count = int(positive.sum())
        get_event_storage().put_scalar("num_pos_anchors", count / len(positive))
        if self.normalizer == "average":
            return self._ema_update("loss_normalizer", max(count, 1), 300)  # as the parent
        everywhere = mean_over_processes(torch.tensor(float(count), device=positive.device))
        return max(float(everywhere), 1.0)

    def forward_inference(
        self, images: ImageList, features: list[Tensor], predictions: list[list[Tensor]]
    ) -> list[Instances]:
        """B `Instances` with `pred_boxes`, `scores` and `pred_classes`, highest score first.

        Args:
            features: L maps of the backbone.
            predictions: logits, deltas and centerness, each L tensors (B, K or 4 or 1, H_i, W_i).
        """
        if self.inference == "detectron2":
            return super().forward_inference(images, features, predictions)
        return detect_by_probability(self, images, features, predictions)

    def inference_single_image(
        self,
        anchors: list[Boxes],
        box_cls: list[Tensor],
        box_delta: list[Tensor],
        image_size: tuple[int, int],
    ) -> Instances:
        """Detections of one image; see the parent, which hands in roots of the products.

        Args:
            anchors: L `Boxes`.
            box_cls, box_delta: L tensors (R_i, K) and (R_i, 4).
            image_size: (height, width) of the network's input.
        """
        if self.score == "product":
            box_cls = [level.square() for level in box_cls]
        return super().inference_single_image(anchors, box_cls, box_delta, image_size)
