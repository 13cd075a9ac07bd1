"""Detectors without proposals: a head on every position of every feature map.

Shapes: B images, L levels of H_i x W_i, A anchors (or points) at each position; R_i = H_i * W_i * A
of them on a level; K classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from fvcore.nn import sigmoid_focal_loss
from torch import nn

from ...layers import batched_nms
from ...structures import Boxes, ImageList, Instances
from ...utils.events import get_event_storage
from ..anchor_generator import permute_to_N_HWA_K
from ..backbone import Backbone
from ..box_regression import BoxTransform
from ..matcher import boxes_of_matches, classes_of_matches
from ..proposal_generator.proposal_utils import select_top
from .detector import Detector, Records


def focal_class_loss(
    logits: torch.Tensor, labels: torch.Tensor, alpha: float, gamma: float
) -> torch.Tensor:
    """Sum of the focal losses of B images' anchors, over K classes.

    Args:
        logits: (B, R, K).
        labels: (B, R) int64, a class, K for the background, or -1 for an anchor left out.
        alpha: weight of the positives, 1 - it that of the negatives; negative: none.
        gamma: the higher, the less the easy anchors weigh.
    """
    used = labels >= 0
    logits, labels = logits[used], labels[used]
    truth = torch.zeros_like(logits)
    # A row without a one is the background: K sigmoids, no class of its own.
    positive = labels < logits.shape[1]
    truth[positive, labels[positive]] = 1
    return sigmoid_focal_loss(logits, truth, alpha, gamma, reduction="sum")


class DenseDetector(Detector):
    """Backbone, then a head; a subclass says what to lose and what to find."""

    # Set by a subclass that labels, decodes and suppresses by the methods below.
    num_classes: int
    box2box_transform: BoxTransform
    test_score_thresh: float
    test_topk_candidates: int
    test_nms_thresh: float
    max_detections_per_image: int

    def __init__(
        self,
        backbone: Backbone,
        head: nn.Module,
        head_in_features: Sequence[str] | None = None,
        *,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
    ) -> None:
        """
        Args:
            backbone: images (B, C, H, W) to a dict of feature maps.
            head: L feature maps to its predictions, each a list of L tensors.
            head_in_features: names of the feature maps; all by default, finest first.
            pixel_mean, pixel_std: one number a channel.
        """
        super().__init__(backbone, pixel_mean=pixel_mean, pixel_std=pixel_std)
        self.head = head
        if head_in_features is None:
            shapes = backbone.output_shape()
            head_in_features = sorted(shapes, key=lambda name: shapes[name].stride or 0)
        self.head_in_features = head_in_features

    def forward(self, batched_inputs: Records) -> Any:
        """Losses in training mode, detections otherwise: see `GeneralizedRCNN.forward`."""
        targets = self._ground_truth(batched_inputs) if self.training else None
        images = self.preprocess_image(batched_inputs)
        maps = self.backbone(images.tensor)
        features = [maps[name] for name in self.head_in_features]
        predictions = self.head(features)
        if self.training:
            return self.forward_training(images, features, predictions, targets)
        found = self.forward_inference(images, features, predictions)
        return self._postprocess(found, batched_inputs, images.image_sizes)

    def forward_training(
        self, images: ImageList, features: list, predictions: Any, gt_instances: Any
    ) -> dict[str, torch.Tensor]:
        """Losses by name; ``predictions`` are what the head gave for L ``features``."""
        raise NotImplementedError

    def forward_inference(
        self, images: ImageList, features: list[torch.Tensor], predictions: list[list[torch.Tensor]]
    ) -> list[Instances]:
        """B `Instances` with `pred_boxes`, in pixels of the network's input."""
        raise NotImplementedError

    def _transpose_dense_predictions(
        self, predictions: list[list[torch.Tensor]], dims_per_anchor: list[int]
    ) -> list[list[torch.Tensor]]:
        """`permute_to_N_HWA_K` of each kind of prediction, K of it in ``dims_per_anchor``."""
        return [
            [permute_to_N_HWA_K(level, dim) for level in levels]
            for levels, dim in zip(predictions, dims_per_anchor, strict=True)
        ]

    @torch.no_grad()
    def label_anchors(
        self, anchors: list[Boxes], gt_instances: list[Instances]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Give each anchor, of L `Boxes`, its object in each of B images; R is the sum of the R_i.

        Returns:
            B labels (R,): a class, K for the background, -1 left out; and B tensors (R, 4) with
            the box of each anchor's object, undefined elsewhere.
        """
        labels, boxes = [], []
        for instances in gt_instances:
            owners, verdicts = self._assign(anchors, instances)
            labels.append(
                classes_of_matches(instances.gt_classes, owners, verdicts, self.num_classes)
            )
            boxes.append(boxes_of_matches(instances.gt_boxes, owners))
        return labels, boxes

    def _assign(
        self, anchors: list[Boxes], instances: Instances
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The object of each anchor (R,), and whether it is: 1 yes, 0 background, -1 neither."""
        raise NotImplementedError

    def _ema_update(
        self, name: str, value: float, initial_value: float, momentum: float = 0.9
    ) -> float:
        """Move the attribute ``name`` towards ``value`` and return it.

        For the loss normaliser: the number of foreground anchors of a small batch jumps too much.
        A plain attribute, not in the state dict: it starts anew with every process.
        """
        old = getattr(self, name, initial_value)
        setattr(self, name, old * momentum + value * (1 - momentum))
        return getattr(self, name)

    def _foreground_normalizer(self, positive: torch.Tensor, initial: float) -> float:
        """Mean number of foreground anchors a batch, moved by that of ``positive`` (B, R) bool.

        It is logged too, a mean of B images.
        """
        count = int(positive.sum())
        get_event_storage().put_scalar("num_pos_anchors", count / len(positive))
        return self._ema_update("loss_normalizer", max(count, 1), initial)

    def _decode_per_level_predictions(
        self,
        anchors: Boxes,
        pred_scores: torch.Tensor,
        pred_deltas: torch.Tensor,
        score_thresh: float,
        topk_candidates: int,
        image_size: Any,
    ) -> Instances:
        """The best candidates of one image on one level, before suppression and not clipped.

        Args:
            anchors: R_i of them.
            pred_scores: (R_i, K); a candidate's is higher than ``score_thresh``.
            pred_deltas: (R_i, 4).
            topk_candidates: at most so many.
            image_size: (height, width), for the result alone; while tracing a tensor.

        Returns:
            `Instances` with `pred_boxes`, `scores` and `pred_classes`, highest score first.
        """
        confident = pred_scores > score_thresh
        scores, index = select_top(pred_scores[confident], topk_candidates)
        anchor, category = confident.nonzero()[index].unbind(dim=1)
        # Choose first, then decode: most anchors never get decoded.
        boxes = self.box2box_transform.apply_deltas(pred_deltas[anchor], anchors.tensor[anchor])
        return Instances(image_size, pred_boxes=Boxes(boxes), scores=scores, pred_classes=category)

    def _decode_multi_level_predictions(
        self,
        anchors: list[Boxes],
        pred_scores: list[torch.Tensor],
        pred_deltas: list[torch.Tensor],
        score_thresh: float,
        topk_candidates: int,
        image_size: Any,
    ) -> Instances:
        """`_decode_per_level_predictions` of every level, joined."""
        levels = zip(anchors, pred_scores, pred_deltas, strict=True)
        return Instances.cat(
            [
                self._decode_per_level_predictions(
                    *level, score_thresh, topk_candidates, image_size
                )
                for level in levels
            ]
        )

    def _inference_by_image(
        self,
        anchors: list[Boxes],
        scores: list[torch.Tensor],
        deltas: list[torch.Tensor],
        images: ImageList,
    ) -> list[Instances]:
        """`inference_single_image` of B images: L scores (B, R_i, K) and deltas (B, R_i, 4)."""
        found = []
        for place, size in enumerate(images.image_sizes):
            score, delta = ([level[place] for level in levels] for levels in (scores, deltas))
            found.append(self.inference_single_image(anchors, score, delta, size))
        return found

    def inference_single_image(
        self,
        anchors: list[Boxes],
        box_cls: list[torch.Tensor],
        box_delta: list[torch.Tensor],
        image_size: Any,
    ) -> Instances:
        """Threshold and choose on each level, suppress within each class, and keep the best.

        Args:
            anchors, box_cls, box_delta: L `Boxes`, L (R_i, K), probabilities, and L (R_i, 4).
            image_size: (height, width), for the result alone; while tracing a tensor.

        Returns:
            `Instances` with `pred_boxes`, `scores` and `pred_classes`, highest score first.
        """
        found = self._decode_multi_level_predictions(
            anchors,
            box_cls,
            box_delta,
            self.test_score_thresh,
            self.test_topk_candidates,
            image_size,
        )
        kept = batched_nms(
            found.pred_boxes.tensor, found.scores, found.pred_classes, self.test_nms_thresh
        )
        return found[kept[: self.max_detections_per_image]]
