"""FCOS: a box's four edges seen from each point inside it, and how central that point is.

Shapes: B images, L levels of H_i x W_i, one point at each position; R_i = H_i * W_i of them on a
level, R = their sum; M objects of an image; K classes, where class K is the background.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ...layers import ShapeSpec
from ...structures import Boxes, ImageList, Instances, pairwise_point_box_distance
from ...utils.memory import retry_if_cuda_oom
from ..anchor_generator import DefaultAnchorGenerator
from ..backbone import Backbone
from ..box_regression import Box2BoxTransformLinear, BoxTransform, _dense_box_regression_loss
from .dense_detector import DenseDetector, focal_class_loss
from .retinanet import RetinaNetHead

# Higher than any area in square pixels: less the area, it leaves the smallest object on top.
_QUALITY = 1e8


class FCOS(DenseDetector):
    """Scores each class, the four edges and the centerness of every point, in one stage.

    Not in META_ARCH_REGISTRY, as in Detectron2: lazy configs name the class.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        head: nn.Module,
        head_in_features: Sequence[str] | None = None,
        box2box_transform: BoxTransform | None = None,
        num_classes: int,
        center_sampling_radius: float = 1.5,
        focal_loss_alpha: float = 0.25,
        focal_loss_gamma: float = 2.0,
        test_score_thresh: float = 0.2,
        test_topk_candidates: int = 1000,
        test_nms_thresh: float = 0.6,
        max_detections_per_image: int = 100,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
    ) -> None:
        """
        Args:
            backbone, head_in_features, pixel_mean, pixel_std: see :class:`DenseDetector`.
            head: L feature maps to logits, deltas and centerness, as :class:`FCOSHead`.
            box2box_transform: points and deltas to boxes; by default distances in strides.
            num_classes: K, without the background.
            center_sampling_radius: a point belongs to an object only if, along both axes, it is
                nearer than so many strides to its centre.
            focal_loss_alpha, focal_loss_gamma: see :class:`RetinaNet`.
            test_score_thresh: a score, the root of probability times centerness, must be higher.
            test_topk_candidates, test_nms_thresh, max_detections_per_image: see
                :class:`RetinaNet`.
        """
        super().__init__(
            backbone, head, head_in_features, pixel_mean=pixel_mean, pixel_std=pixel_std
        )
        self.num_classes = num_classes
        shapes = backbone.output_shape()
        strides: list[Any] = [shapes[name].stride for name in self.head_in_features]
        # A point is an anchor: a square of its level's stride around it.
        self.anchor_generator = DefaultAnchorGenerator(
            sizes=[[stride] for stride in strides], aspect_ratios=[1.0], strides=strides
        )
        if box2box_transform is None:
            box2box_transform = Box2BoxTransformLinear(normalize_by_size=True)
        self.box2box_transform = box2box_transform
        self.center_sampling_radius = center_sampling_radius
        self.focal_loss_alpha = focal_loss_alpha
        self.focal_loss_gamma = focal_loss_gamma
        self.test_score_thresh = test_score_thresh
        self.test_topk_candidates = test_topk_candidates
        self.test_nms_thresh = test_nms_thresh
        self.max_detections_per_image = max_detections_per_image

    def forward_training(
        self, images: ImageList, features: list, predictions: Any, gt_instances: Any
    ) -> dict[str, torch.Tensor]:
        """`losses` against the object that each point belongs to."""
        logits, deltas, centerness = self._transpose_dense_predictions(
            predictions, [self.num_classes, 4, 1]
        )
        anchors = self.anchor_generator(features)
        gt_labels, gt_boxes = self.label_anchors(anchors, gt_instances)
        return self.losses(anchors, logits, gt_labels, deltas, gt_boxes, centerness)

    @torch.no_grad()
    def _match_anchors(self, gt_boxes: Boxes, anchors: list[Boxes]) -> torch.Tensor:
        """(M, R) quality of each object for each point: higher the smaller it is, 0 if not its own.

        An object's points are near its centre, inside it, and on the level of its size: from a
        point of stride S the farthest edge lies between 4 S and 8 S. The first level takes all
        that is smaller too, the last all that is larger.
        """
        joined = Boxes.cat(anchors)
        points = joined.get_centers()
        strides = joined.tensor[:, 2] - joined.tensor[:, 0]
        lower, upper = strides * 4, strides * 8
        lower[: len(anchors[0])] = 0
        upper[len(upper) - len(anchors[-1]) :] = float("inf")

        offsets = (gt_boxes.get_centers()[:, None] - points).abs().amax(dim=2)
        mine = offsets < self.center_sampling_radius * strides
        distances = pairwise_point_box_distance(points, gt_boxes)
        mine &= (distances.amin(dim=2) > 0).T
        farthest = distances.amax(dim=2).T
        mine &= (farthest > lower) & (farthest < upper)
        # In single precision areas within 4 square pixels may tie; the first object then wins.
        return (_QUALITY - gt_boxes.area())[:, None] * mine

    def _assign(
        self, anchors: list[Boxes], instances: Instances
    ) -> tuple[torch.Tensor, torch.Tensor]:
        truth = instances.gt_boxes
        if len(truth) == 0:
            nothing = torch.zeros(sum(map(len, anchors)), dtype=torch.int64, device=truth.device)
            return nothing, nothing
        quality = retry_if_cuda_oom(self._match_anchors)(truth, anchors)
        best, owners = (each.to(truth.device) for each in quality.max(dim=0))
        return owners, best >= 1e-5

    def losses(
        self,
        anchors: list[Boxes],
        pred_logits: list[torch.Tensor],
        gt_labels: list[torch.Tensor],
        pred_anchor_deltas: list[torch.Tensor],
        gt_boxes: list[torch.Tensor],
        pred_centerness: list[torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """Losses of a batch, each over a mean number of points with an object.

        Args:
            anchors, pred_logits: L `Boxes`, and L tensors (B, R_i, K).
            gt_labels, gt_boxes: what `label_anchors` returned.
            pred_anchor_deltas, pred_centerness: L tensors (B, R_i, 4), and (B, R_i, 1), logits.

        Returns:
            "loss_fcos_cls", focal; "loss_fcos_loc", GIoU; "loss_fcos_ctr", binary cross-entropy.
        """
        labels = torch.stack(gt_labels)
        positive = labels != self.num_classes
        normalizer = self._foreground_normalizer(positive, initial=300)
        classification = focal_class_loss(
            torch.cat(pred_logits, dim=1), labels, self.focal_loss_alpha, self.focal_loss_gamma
        )
        localization = _dense_box_regression_loss(
            anchors,
            self.box2box_transform,
            pred_anchor_deltas,
            gt_boxes,
            positive,
            box_reg_loss_type="giou",
        )
        centerness = F.binary_cross_entropy_with_logits(
            torch.cat(pred_centerness, dim=1).squeeze(dim=2)[positive],
            self.compute_ctrness_targets(anchors, gt_boxes)[positive],
            reduction="sum",
        )
        losses = {
            "loss_fcos_cls": classification,
            "loss_fcos_loc": localization,
            "loss_fcos_ctr": centerness,
        }
        return {name: value / normalizer for name, value in losses.items()}

    def compute_ctrness_targets(
        self, anchors: list[Boxes], gt_boxes: list[torch.Tensor]
    ) -> torch.Tensor:
        """(B, R) centerness of each point in its box, 1 in the middle to 0 at an edge (Eq. 3).

        Undefined, and it may be NaN, where a point has no object.
        """
        points = Boxes.cat(anchors).tensor
        deltas = torch.stack([self.box2box_transform.get_deltas(points, box) for box in gt_boxes])
        sides = torch.stack([deltas[..., 0::2], deltas[..., 1::2]], dim=-2)  # (B, R, x and y, 2)
        return (sides.amin(dim=-1) / sides.amax(dim=-1)).prod(dim=-1).sqrt()

    def forward_inference(
        self, images: ImageList, features: list[torch.Tensor], predictions: list[list[torch.Tensor]]
    ) -> list[Instances]:
        """Detections of each image, as `inference_single_image` returns them."""
        logits, deltas, centerness = self._transpose_dense_predictions(
            predictions, [self.num_classes, 4, 1]
        )
        anchors = self.anchor_generator(features)
        # The root, so that a score is of the size of a probability again.
        scores = [
            (kind.sigmoid() * centre.sigmoid()).sqrt()
            for kind, centre in zip(logits, centerness, strict=True)
        ]
        return self._inference_by_image(anchors, scores, deltas, images)


class FCOSHead(RetinaNetHead):
    """A `RetinaNetHead` of one anchor, and the centerness on top of its tower for the boxes."""

    def __init__(
        self, *, input_shape: list[ShapeSpec], conv_dims: list[int], **kwargs: Any
    ) -> None:
        """
        Args:
            input_shape, conv_dims: see :class:`RetinaNetHead`.
            kwargs: its other arguments, without ``num_anchors``.
        """
        super().__init__(input_shape=input_shape, conv_dims=conv_dims, num_anchors=1, **kwargs)
        # As in Detectron2 one convolution serves all levels, without a scale for each.
        self.ctrness = nn.Conv2d(self.bbox_pred.in_channels, 1, kernel_size=3, padding=1)
        assert self.ctrness.bias is not None
        nn.init.normal_(self.ctrness.weight, std=0.01)
        nn.init.zeros_(self.ctrness.bias)

    def forward(  # type: ignore[override]  # a third kind of prediction
        self, features: list[torch.Tensor]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
        """Logits (B, K, H, W), deltas (B, 4, H, W) and centerness (B, 1, H, W), by level."""
        logits = [self.cls_score(self.cls_subnet(level)) for level in features]
        towers = [self.bbox_subnet(level) for level in features]
        deltas = [self.bbox_pred(level) for level in towers]
        return logits, deltas, [self.ctrness(level) for level in towers]
