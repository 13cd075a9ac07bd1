"""Class scores and boxes of regions: layers, losses, predictions.

Shapes: N regions of all images together, K classes. Scores are (N, K + 1) with the background
last; deltas are (N, K * 4), or (N, 4) if one box serves all classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ...config import CfgNode, configurable
from ...layers import ShapeSpec, cat, cross_entropy
from ...structures import Instances
from ...utils.events import get_event_storage
from ..box_losses import matched_box_loss
from ..box_regression import Box2BoxTransform
from .inference import fast_rcnn_inference, fast_rcnn_inference_single_image

__all__ = ["FastRCNNOutputLayers", "fast_rcnn_inference", "fast_rcnn_inference_single_image"]

Predictions = tuple[torch.Tensor, torch.Tensor]


def _region_counts(proposals: list[Instances]) -> list[int]:
    # Not len(): that is always an int, and a trace would keep the number of its example.
    return [p.proposal_boxes.tensor.shape[0] for p in proposals]


def _log_classification_stats(
    pred_logits: torch.Tensor, gt_classes: torch.Tensor, prefix: str = "fast_rcnn"
) -> None:
    """Write accuracy, accuracy on objects, and the share of objects called background.

    Args:
        pred_logits: (N, K + 1).
        gt_classes: (N,), K for the background.
        prefix: first part of the scalars' names.
    """
    total = gt_classes.numel()
    if total == 0:
        return
    background = pred_logits.shape[1] - 1
    guess = pred_logits.argmax(dim=1)
    right = guess == gt_classes
    is_object = (gt_classes >= 0) & (gt_classes < background)
    # One transfer for all counts.
    objects, hits, object_hits, missed = torch.stack(
        [
            is_object.sum(),
            right.sum(),
            (right & is_object).sum(),
            ((guess == background) & is_object).sum(),
        ]
    ).tolist()
    storage = get_event_storage()
    storage.put_scalar(f"{prefix}/cls_accuracy", hits / total)
    if objects > 0:
        storage.put_scalar(f"{prefix}/fg_cls_accuracy", object_hits / objects)
        storage.put_scalar(f"{prefix}/false_negative", missed / objects)


class FastRCNNOutputLayers(nn.Module):
    """Two linear layers: class scores, and deltas from the proposal to the object."""

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
        use_fed_loss: bool = False,
        use_sigmoid_ce: bool = False,
        get_fed_loss_cls_weights: Callable | None = None,
        fed_loss_num_classes: int = 50,
    ) -> None:
        """
        Args:
            input_shape: shape of a region's feature, or its channels.
            box2box_transform: proposals and deltas to boxes.
            num_classes: K, without the background.
            test_score_thresh, test_nms_thresh, test_topk_per_image: see
                `fast_rcnn_inference_single_image`.
            cls_agnostic_bbox_reg: one box for all classes.
            smooth_l1_beta: width of the quadratic part; 0 means L1.
            box_reg_loss_type: "smooth_l1", "giou", "diou" or "ciou".
            loss_weight: one factor, or one for each of "loss_cls" and "loss_box_reg".
            use_sigmoid_ce: score each class on its own instead of by softmax.
            use_fed_loss, get_fed_loss_cls_weights, fed_loss_num_classes: the federated loss,
                which this package does not have.

        Raises:
            NotImplementedError: if `use_fed_loss` is set.
        """
        super().__init__()
        if use_fed_loss:
            raise NotImplementedError(
                "MODEL.ROI_BOX_HEAD.USE_FED_LOSS: minid2 has no federated loss; install the real "
                "Detectron2 for it"
            )
        if isinstance(input_shape, int):
            input_shape = ShapeSpec(channels=input_shape)
        assert input_shape.channels is not None
        width = input_shape.channels * (input_shape.height or 1) * (input_shape.width or 1)
        boxes = 1 if cls_agnostic_bbox_reg else num_classes
        self.cls_score = nn.Linear(width, num_classes + 1)
        self.bbox_pred = nn.Linear(width, boxes * len(box2box_transform.weights))
        for layer, std in ((self.cls_score, 0.01), (self.bbox_pred, 0.001)):  # Fast R-CNN, 3.2
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
        if not isinstance(loss_weight, dict):
            loss_weight = {"loss_cls": loss_weight, "loss_box_reg": loss_weight}
        self.num_classes = num_classes
        self.box2box_transform = box2box_transform
        self.smooth_l1_beta = smooth_l1_beta
        self.test_score_thresh = test_score_thresh
        self.test_nms_thresh = test_nms_thresh
        self.test_topk_per_image = test_topk_per_image
        self.box_reg_loss_type = box_reg_loss_type
        self.loss_weight = loss_weight
        self.use_sigmoid_ce = use_sigmoid_ce

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: ShapeSpec) -> dict[str, Any]:
        """Explicit arguments from a config."""
        heads, box = cfg.MODEL.ROI_HEADS, cfg.MODEL.ROI_BOX_HEAD
        return {
            "input_shape": input_shape,
            "box2box_transform": Box2BoxTransform(weights=box.BBOX_REG_WEIGHTS),
            "num_classes": heads.NUM_CLASSES,
            "test_score_thresh": heads.SCORE_THRESH_TEST,
            "test_nms_thresh": heads.NMS_THRESH_TEST,
            "test_topk_per_image": cfg.TEST.DETECTIONS_PER_IMAGE,
            "cls_agnostic_bbox_reg": box.CLS_AGNOSTIC_BBOX_REG,
            "smooth_l1_beta": box.SMOOTH_L1_BETA,
            "box_reg_loss_type": box.BBOX_REG_LOSS_TYPE,
            "loss_weight": {"loss_box_reg": box.BBOX_REG_LOSS_WEIGHT},
            "use_fed_loss": box.USE_FED_LOSS,
            "use_sigmoid_ce": box.USE_SIGMOID_CE,
            "fed_loss_num_classes": box.FED_LOSS_NUM_CLASSES,
        }

    def forward(self, x: torch.Tensor) -> Predictions:
        """Scores and deltas of features (N, ...)."""
        x = x.flatten(1)
        return self.cls_score(x), self.bbox_pred(x)

    def losses(
        self, predictions: Predictions, proposals: list[Instances]
    ) -> dict[str, torch.Tensor]:
        """Losses "loss_cls" and "loss_box_reg", weighted.

        Args:
            predictions: what `forward` returned.
            proposals: `Instances` an image with `proposal_boxes`, `gt_classes` and, on images
                with objects, `gt_boxes`.
        """
        scores, deltas = predictions
        gt_classes = cat([p.gt_classes for p in proposals])
        _log_classification_stats(scores, gt_classes)
        sources = cat([p.proposal_boxes.tensor for p in proposals])
        # Where an image has no objects nothing was matched, and every region is background.
        targets = [p.gt_boxes if p.has("gt_boxes") else p.proposal_boxes for p in proposals]
        if self.use_sigmoid_ce:
            classification = self.sigmoid_cross_entropy_loss(scores, gt_classes)
        else:
            classification = cross_entropy(scores, gt_classes)
        regression = self.box_reg_loss(
            sources, cat([boxes.tensor for boxes in targets]), deltas, gt_classes
        )
        losses = {"loss_cls": classification, "loss_box_reg": regression}
        return {name: value * self.loss_weight.get(name, 1.0) for name, value in losses.items()}

    def sigmoid_cross_entropy_loss(
        self, pred_class_logits: torch.Tensor, gt_classes: torch.Tensor
    ) -> torch.Tensor:
        """Binary cross entropy of each class, summed over classes, mean over regions.

        The background has no score of its own: it is the absence of all classes.
        """
        regions = gt_classes.numel()
        if regions == 0:
            return pred_class_logits.sum() * 0.0
        logits = pred_class_logits[:, :-1]
        wanted = F.one_hot(gt_classes, self.num_classes + 1)[:, :-1].to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / regions

    def box_reg_loss(
        self,
        proposal_boxes: torch.Tensor,
        gt_boxes: torch.Tensor,
        pred_deltas: torch.Tensor,
        gt_classes: torch.Tensor,
    ) -> torch.Tensor:
        """Regression loss of the objects, divided by the number of all regions.

        All regions, background too: so each image weighs the same as each object is weighed
        once, however many objects were drawn.

        Args:
            proposal_boxes, gt_boxes: (N, 4).
            pred_deltas: (N, 4) or (N, K * 4).
            gt_classes: (N,), K for the background.
        """
        is_object = (gt_classes >= 0) & (gt_classes < self.num_classes)
        index = is_object.nonzero().squeeze(1)
        choices = pred_deltas.unflatten(1, (-1, 4))
        shared = choices.shape[1] == 1
        chosen = choices[index, 0] if shared else choices[index, gt_classes[index]]
        loss = matched_box_loss(
            chosen,
            proposal_boxes[index],
            gt_boxes[index],
            transform=self.box2box_transform,
            kind=self.box_reg_loss_type,
            beta=self.smooth_l1_beta,
        )
        return loss / max(gt_classes.numel(), 1)

    def inference(
        self, predictions: Predictions, proposals: list[Instances]
    ) -> tuple[list[Instances], list[torch.Tensor]]:
        """Detections of each image, and the regions they came from: `fast_rcnn_inference`."""
        return fast_rcnn_inference(
            list(self.predict_boxes(predictions, proposals)),
            list(self.predict_probs(predictions, proposals)),
            [p.image_size for p in proposals],
            self.test_score_thresh,
            self.test_nms_thresh,
            self.test_topk_per_image,
        )

    def predict_boxes(
        self, predictions: Predictions, proposals: list[Instances]
    ) -> tuple[torch.Tensor, ...]:
        """Boxes (N_i, K * 4), or (N_i, 4), of each image i."""
        if not proposals:
            return ()
        sources = cat([p.proposal_boxes.tensor for p in proposals])
        boxes = self.box2box_transform.apply_deltas(predictions[1], sources)
        return boxes.split(_region_counts(proposals))

    def predict_boxes_for_gt_classes(
        self, predictions: Predictions, proposals: list[Instances]
    ) -> tuple[torch.Tensor, ...]:
        """Boxes (N_i, 4) of each image i, those of the true class.

        For the background, which has no box, that of the last class stands in.
        """
        if not proposals:
            return ()
        boxes = cat(list(self.predict_boxes(predictions, proposals)))
        boxes = boxes.unflatten(1, (-1, 4))
        classes = cat([p.gt_classes for p in proposals])
        classes = classes.clamp(0, boxes.shape[1] - 1)
        rows = torch.arange(len(boxes), device=boxes.device)
        return boxes[rows, classes].split(_region_counts(proposals))

    def predict_probs(
        self, predictions: Predictions, proposals: list[Instances]
    ) -> tuple[torch.Tensor, ...]:
        """Probabilities (N_i, K + 1) of each image i."""
        scores = predictions[0]
        probs = scores.sigmoid() if self.use_sigmoid_ce else scores.softmax(dim=-1)
        return probs.split(_region_counts(proposals))
