"""A dense detector with one prior at each cell, and a box's quality beside its class.

Shapes: B images, L levels of H_i x W_i, R_i = H_i * W_i cells of a level, R = their sum, K classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_backbone
from detectron2.modeling.anchor_generator import DefaultAnchorGenerator
from detectron2.modeling.backbone import Backbone
from detectron2.modeling.meta_arch.dense_detector import DenseDetector
from detectron2.structures import Boxes, ImageList, Instances
from detectron2.utils.events import get_event_storage
from torch import Tensor, nn

from d2freq.modeling.detectors.dense.cells import Grid
from d2freq.modeling.detectors.fcos.inference import detect_by_probability
from d2freq.modeling.detectors.levels import asked_levels
from d2freq.modeling.detectors.numbers_of_heads import check_detections
from d2freq.modeling.ground_truth import check_classes_of_records
from d2freq.utils.choices import choice
from d2freq.utils.ranges import POSITIVE, check_ranges

__all__ = ["CellDetector", "host_arguments"]


class CellDetector(DenseDetector):
    """Backbone, head, priors and detections; a subclass says what to lose.

    The prior of the cell in row i and column j is a square around (stride x j, stride x i): the
    published detectors have no offset of half a cell.
    """

    inference = "published"  # how candidates are chosen; see FCOS, and d2freq.engine.export.dense

    def __init__(
        self,
        *,
        key: str,
        backbone: Backbone,
        head: nn.Module,
        head_in_features: Sequence[str] | None,
        box2box_transform: Any,
        prior_scale: float,
        num_classes: int,
        score: str,
        test_score_thresh: float,
        test_topk_candidates: int,
        test_nms_thresh: float,
        max_detections_per_image: int,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        input_format: str,
    ) -> None:
        """
        Args:
            key: node of the config, as messages name it: "MODEL.ATSS".
            backbone: images (B, C, H, W) to a dict of feature maps.
            head: L maps to logits, box numbers and quality, as :class:`ScaledHead`.
            head_in_features: names of the maps, finest first; None for all.
            box2box_transform: box numbers and priors to boxes.
            prior_scale: side of a prior in strides.
            num_classes: K, without the background.
            score: "root" or "product" of a class's probability and the quality.
            test_score_thresh: the probability must be higher.
            test_topk_candidates: of a level, before suppression.
            test_nms_thresh: overlap above which the better of two boxes of a class stays alone.
            max_detections_per_image: behind suppression.
            pixel_mean, pixel_std: one number a channel.
            input_format: meaning of the channels ("BGR", "RGB"); only kept.

        Raises:
            UserError: an unknown score, or a number out of its range.
        """
        super().__init__(
            backbone, head, head_in_features, pixel_mean=pixel_mean, pixel_std=pixel_std
        )
        check_ranges({"ANCHOR_SCALE": prior_scale}, {"ANCHOR_SCALE": POSITIVE}, section=key)
        check_detections(
            section=key,
            num_classes=num_classes,
            score_thresh=test_score_thresh,
            topk_candidates=test_topk_candidates,
            nms_thresh=test_nms_thresh,
            limit=max_detections_per_image,
        )
        shapes = backbone.output_shape()
        self.strides = [int(shapes[name].stride or 0) for name in self.head_in_features]
        self.anchor_generator = DefaultAnchorGenerator(
            sizes=[[prior_scale * stride] for stride in self.strides],
            aspect_ratios=[1.0],
            strides=self.strides,
            offset=0.0,
        )
        self.key = key
        self.box2box_transform = box2box_transform
        self.num_classes = num_classes
        self.score = choice(score, ("root", "product"), key=f"score ({key}.SCORE)")
        self.test_score_thresh = test_score_thresh
        self.test_topk_candidates = test_topk_candidates
        self.test_nms_thresh = test_nms_thresh
        self.max_detections_per_image = max_detections_per_image
        self.input_format = input_format

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """See the parent.

        Raises:
            DatasetError: an object is of a class that the model does not know.
        """
        if self.training:
            check_classes_of_records(
                batched_inputs, self.num_classes, key=f"{self.key}.NUM_CLASSES"
            )
        return super().forward(batched_inputs)

    def forward_training(
        self,
        images: ImageList,
        features: list[Tensor],
        predictions: Any,
        gt_instances: list[Instances],
    ) -> dict[str, Tensor]:
        """Losses by name, in float32 under automatic mixed precision too.

        Corners of boxes of a few pixels do not bear rounding to quarter pixels.
        """
        grids = [
            Grid(stride, *level.shape[-2:])
            for stride, level in zip(self.strides, features, strict=True)
        ]
        priors = Boxes.cat(self.anchor_generator(features)).tensor
        logits, numbers, quality = (
            torch.cat([level.float().flatten(2) for level in levels], dim=2).transpose(1, 2)
            for levels in predictions
        )
        with torch.autocast(logits.device.type, enabled=False):
            return self.losses(grids, priors, logits, numbers, quality, gt_instances)

    def losses(
        self,
        grids: list[Grid],
        priors: Tensor,
        logits: Tensor,
        numbers: Tensor,
        quality: Tensor,
        gt_instances: list[Instances],
    ) -> dict[str, Tensor]:
        """Losses by name.

        Args:
            grids: L levels.
            priors: (R, 4) XYXY, level after level.
            logits, numbers, quality: (B, R, K), (B, R, 4) and (B, R, 1), float32.
            gt_instances: B `Instances` with `gt_boxes` and `gt_classes`.
        """
        raise NotImplementedError

    def log_positives(self, per_image: float) -> None:
        """A line of the log: the mean number of cells with an object."""
        get_event_storage().put_scalar("num_pos_anchors", per_image)

    def forward_inference(
        self, images: ImageList, features: list[Tensor], predictions: list[list[Tensor]]
    ) -> list[Instances]:
        """B `Instances` with `pred_boxes`, `scores` and `pred_classes`, highest score first.

        Args:
            features: L maps of the backbone.
            predictions: logits, box numbers and quality, each L tensors (B, K or 4 or 1, H_i, W_i).
        """
        return detect_by_probability(self, images, features, predictions)


def host_arguments(cfg: CfgNode, keys: CfgNode, *, key: str) -> tuple[dict[str, Any], list]:
    """Arguments that each detector here reads in the same way, and the shapes of its levels.

    Args:
        keys: its own node, MODEL.ATSS for example.
        key: the name of that.

    Raises:
        UserError: IN_FEATURES asks for what the backbone does not give.
    """
    backbone = build_backbone(cfg)
    levels = asked_levels(cfg, backbone, keys.IN_FEATURES, key=key)
    arguments = {
        "backbone": backbone,
        "head_in_features": list(keys.IN_FEATURES),
        "num_classes": keys.NUM_CLASSES,
        "test_score_thresh": keys.SCORE_THRESH_TEST,
        "test_topk_candidates": keys.TOPK_CANDIDATES_TEST,
        "test_nms_thresh": keys.NMS_THRESH_TEST,
        "max_detections_per_image": cfg.TEST.DETECTIONS_PER_IMAGE,
        "pixel_mean": cfg.MODEL.PIXEL_MEAN,
        "pixel_std": cfg.MODEL.PIXEL_STD,
        "input_format": cfg.INPUT.FORMAT,
    }
    return arguments, levels
