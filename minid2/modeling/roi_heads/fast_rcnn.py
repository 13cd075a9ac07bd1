"""Class scores and boxes of regions: layers, losses, detections.

Shapes: N regions of all images together, K classes. Scores are (N, K + 1) with the background
last; deltas are (N, K * 4), or (N, 4) if one box serves all classes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ...config import CfgNode, configurable
from ...host import refuse
from ...layers import ShapeSpec, batched_nms, cat, cross_entropy
from ...structures import Boxes, Instances
from ...utils.events import get_event_storage
from ..box_regression import Box2BoxTransform, matched_box_loss

Predictions = tuple[torch.Tensor, torch.Tensor]


def fast_rcnn_inference(
    boxes: list[torch.Tensor],
    scores: list[torch.Tensor],
    image_shapes: list[tuple[int, int]],
    score_thresh: float,
    nms_thresh: float,
    topk_per_image: int,
) -> tuple[list[Instances], list[torch.Tensor]]:
    """`fast_rcnn_inference_single_image` for each image of a batch."""
    pairs = [
        fast_rcnn_inference_single_image(b, s, shape, score_thresh, nms_thresh, topk_per_image)
        for b, s, shape in zip(boxes, scores, image_shapes, strict=True)
    ]
    return [found for found, _ in pairs], [index for _, index in pairs]


def fast_rcnn_inference_single_image(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    image_shape: tuple[int, int],
    score_thresh: float,
    nms_thresh: float,
    topk_per_image: int,
) -> tuple[Instances, torch.Tensor]:
    """Threshold, suppress within each class, and keep the best.

    A region may give one detection for every class it scores high enough in. Regions with a
    number that is not finite give none.

    Args:
        boxes: (N, K * 4), or (N, 4) if one box serves all classes.
        scores: (N, K + 1) probabilities.
        image_shape, score_thresh: (height, width) to clip to; a score must be higher.
        nms_thresh: IoU over which the lower scored of two detections of a class goes.
        topk_per_image: most detections to return; negative for all.

    Returns:
        `Instances` with `pred_boxes`, `scores` and `pred_classes`, highest score first, and the
        region (M,) that each came from.
    """
    usable = boxes.isfinite().all(dim=1) & scores.isfinite().all(dim=1)
    confident = (scores[:, :-1] > score_thresh) & usable.unsqueeze(1)
    region, category = confident.nonzero().unbind(1)
    # Only the candidates are gathered and clipped, not all N * K boxes.
    candidates = Boxes(_boxes_of_class(boxes, region, category))
    candidates.clip(image_shape)
    confidence = scores[region, category]
    kept = batched_nms(candidates.tensor, confidence, category, nms_thresh)
    if topk_per_image >= 0:
        kept = kept[:topk_per_image]
    found = {"pred_boxes": candidates, "scores": confidence, "pred_classes": category}
    return Instances(image_shape, **found)[kept], region[kept]


def _boxes_of_class(
    boxes: torch.Tensor, region: torch.Tensor, category: torch.Tensor
) -> torch.Tensor:
    """Rows (M, 4) out of (N, K * 4), or out of (N, 4), which serves all classes."""
    choices = boxes.unflatten(1, (-1, 4))
    return choices[region, 0] if choices.shape[1] == 1 else choices[region, category]


def _log_classification_stats(
    pred_logits: torch.Tensor, gt_classes: torch.Tensor, prefix: str = "fast_rcnn"
) -> None:
    """Write accuracy, accuracy on objects, and the share of objects called background."""
    total = gt_classes.numel()
    if total == 0:
        return
    background = pred_logits.shape[1] - 1
    guess = pred_logits.argmax(dim=1)
    right = guess == gt_classes
    is_object = (gt_classes >= 0) & (gt_classes < background)
    missed = (guess == background) & is_object
    # One transfer for all counts.
    masks = torch.stack([is_object, right, right & is_object, missed])
    objects, hits, object_hits, misses = masks.sum(dim=1).tolist()
    storage = get_event_storage()
    storage.put_scalar(f"{prefix}/cls_accuracy", hits / total)
    if objects > 0:
        storage.put_scalar(f"{prefix}/fg_cls_accuracy", object_hits / objects)
        storage.put_scalar(f"{prefix}/false_negative", misses / objects)


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
            box_reg_loss_type, smooth_l1_beta: `kind` and `beta` of `matched_box_loss`.
            loss_weight: one factor, or one for each of "loss_cls" and "loss_box_reg".
            use_fed_loss, use_sigmoid_ce, get_fed_loss_cls_weights, fed_loss_num_classes: losses
                that minid2 does not have; NotImplementedError if one is switched on.
        """
        super().__init__()
        refuse("MODEL.ROI_BOX_HEAD.USE_FED_LOSS", use_fed_loss)
        refuse("MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE", use_sigmoid_ce)
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

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: ShapeSpec) -> dict[str, Any]:
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
        }

    def forward(self, x: torch.Tensor) -> Predictions:
        """Scores and deltas of features (N, ...)."""
        x = x.flatten(1)
        return self.cls_score(x), self.bbox_pred(x)

    def losses(
        self, predictions: Predictions, proposals: list[Instances]
    ) -> dict[str, torch.Tensor]:
        """Losses "loss_cls" and "loss_box_reg", weighted.

        The proposals have `proposal_boxes`, `gt_classes` and, on images with objects, `gt_boxes`.
        """
        scores, deltas = predictions
        if not proposals:  # no image at all: zero, with a gradient
            return dict.fromkeys(("loss_cls", "loss_box_reg"), 0.0 * (scores.sum() + deltas.sum()))
        gt_classes = cat([p.gt_classes for p in proposals])
        _log_classification_stats(scores, gt_classes)
        sources = cat([p.proposal_boxes.tensor for p in proposals])
        # Where an image has no objects nothing was matched, and every region is background.
        targets = [p.gt_boxes if p.has("gt_boxes") else p.proposal_boxes for p in proposals]
        truth = cat([boxes.tensor for boxes in targets])
        losses = {
            "loss_cls": cross_entropy(scores, gt_classes),
            "loss_box_reg": self.box_reg_loss(sources, truth, deltas, gt_classes),
        }
        return {name: value * self.loss_weight.get(name, 1.0) for name, value in losses.items()}

    def box_reg_loss(
        self,
        proposal_boxes: torch.Tensor,
        gt_boxes: torch.Tensor,
        pred_deltas: torch.Tensor,
        gt_classes: torch.Tensor,
    ) -> torch.Tensor:
        """Regression loss of the objects among N regions, boxes (N, 4), divided by N.

        By all regions, background too: so each object weighs the same, however many were drawn.
        """
        is_object = (gt_classes >= 0) & (gt_classes < self.num_classes)
        index = is_object.nonzero().squeeze(1)
        loss = matched_box_loss(
            _boxes_of_class(pred_deltas, index, gt_classes[index]),
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

    def predict_probs(
        self, predictions: Predictions, proposals: list[Instances]
    ) -> tuple[torch.Tensor, ...]:
        """Probabilities (N_i, K + 1) of each image i."""
        return predictions[0].softmax(dim=-1).split(_region_counts(proposals))


def _region_counts(proposals: list[Instances]) -> list[int]:
    # Not len(): that is always an int, and a trace would keep the number of its example.
    return [p.proposal_boxes.tensor.shape[0] for p in proposals]
