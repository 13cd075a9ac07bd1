"""Grid R-CNN (Lu et al., CVPR 2019) as ROI heads.

Shape shorthand: B images, N regions of all of them, P points, S x S cells of a map.
"""

from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling import ROI_HEADS_REGISTRY
from detectron2.modeling.poolers import ROIPooler
from detectron2.modeling.roi_heads import (
    StandardROIHeads,
    build_box_head,
    select_foreground_proposals,
)
from detectron2.structures import Boxes, Instances
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.detectors.grid_rcnn.box_scores import BoxScoreLayer
from d2freq.modeling.detectors.grid_rcnn.config import roi_grid_head_keys
from d2freq.modeling.detectors.grid_rcnn.grid import decode_grid, grid_targets
from d2freq.modeling.detectors.grid_rcnn.head import GridHead
from d2freq.modeling.ground_truth import check_classes
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys
from d2freq.utils.ranges import WEIGHT, check_ranges

__all__ = ["GridROIHeads"]


@register(ROI_HEADS_REGISTRY)
class GridROIHeads(StandardROIHeads):
    """Regions are classified and suppressed as the proposals are; the grid then moves the rest.

    Losses are "loss_cls" and "loss_grid". A moved box is clipped to the image, as all are in
    Detectron2; published code loses that step.

    Args:
        grid_pooler: boxes to (N, C, R, R), of the box head's feature maps.
        grid_head: that to maps, as :class:`GridHead`.
        jitter, max_samples, pos_radius, grid_loss_weight, chunk: see MODEL.ROI_GRID_HEAD.

    The other arguments are StandardROIHeads'; ``box_predictor`` is a :class:`BoxScoreLayer`.

    Raises:
        UserError: train_on_pred_boxes, or a number out of range.
    """

    @configurable
    def __init__(
        self,
        *,
        grid_pooler: ROIPooler,
        grid_head: GridHead,
        jitter: float = 0.15,
        max_samples: int = 192,
        pos_radius: int = 1,
        grid_loss_weight: float = 15.0,
        chunk: int = 256,
        train_on_pred_boxes: bool = False,
        **standard: Any,  # StandardROIHeads refuses what it does not know
    ) -> None:
        if train_on_pred_boxes:
            raise UserError(
                "MODEL.ROI_BOX_HEAD.TRAIN_ON_PRED_BOXES: the box head of GridROIHeads predicts no "
                "boxes; set False"
            )
        if not 0 <= jitter < 1 or min(max_samples, chunk) < 1 or pos_radius < 0:
            raise UserError(
                f"MODEL.ROI_GRID_HEAD: JITTER {jitter!r} is a share below 1, MAX_SAMPLES "
                f"{max_samples!r} and CHUNK {chunk!r} are at least 1, POS_RADIUS {pos_radius!r} is "
                "at least 0"
            )
        check_ranges(
            {"LOSS_WEIGHT": grid_loss_weight},
            {"LOSS_WEIGHT": WEIGHT},
            section="MODEL.ROI_GRID_HEAD",
        )
        super().__init__(**standard)
        self.grid_pooler = grid_pooler
        self.grid_head = grid_head
        self.jitter = jitter
        self.max_samples = max_samples
        self.pos_radius = pos_radius
        self.grid_loss_weight = grid_loss_weight
        self.chunk = chunk

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """MODEL.ROI_GRID_HEAD, beside the keys of StandardROIHeads."""
        keys = own_keys(cfg, "MODEL.ROI_GRID_HEAD", roi_grid_head_keys())
        shapes = [input_shape[name] for name in cfg.MODEL.ROI_HEADS.IN_FEATURES]
        return {
            **super().from_config(cfg, input_shape),
            "grid_pooler": _pooler(keys, shapes),
            "grid_head": GridHead(cfg, shapes[0]),
            "jitter": keys.JITTER,
            "max_samples": keys.MAX_SAMPLES,
            "pos_radius": keys.POS_RADIUS,
            "grid_loss_weight": keys.LOSS_WEIGHT,
            "chunk": keys.CHUNK,
        }

    @classmethod
    def _init_box_head(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """The box branch whose predictor gives scores alone."""
        names, keys = cfg.MODEL.ROI_HEADS.IN_FEATURES, cfg.MODEL.ROI_BOX_HEAD
        shapes, side = [input_shape[name] for name in names], keys.POOLER_RESOLUTION
        region = ShapeSpec(channels=shapes[0].channels, height=side, width=side)
        head = build_box_head(cfg, region)
        return {
            "box_in_features": names,
            "box_pooler": _pooler(keys, shapes),
            "box_head": head,
            "box_predictor": BoxScoreLayer(cfg, head.output_shape),
        }

    def label_and_sample_proposals(
        self, proposals: list[Instances], targets: list[Instances]
    ) -> list[Instances]:
        """See StandardROIHeads.

        Raises:
            DatasetError: an object is of a class that the model does not know.
        """
        key = "MODEL.ROI_HEADS.NUM_CLASSES"
        check_classes(targets, self.num_classes, key=key, ignores=True)
        return super().label_and_sample_proposals(proposals, targets)

    def _forward_box(self, features: dict[str, Tensor], proposals: list[Instances]) -> Any:
        """Losses of sampled proposals in training mode, else the detections."""
        found = super()._forward_box(features, proposals)
        if self.training:
            return {**found, "loss_grid": self.grid_loss(features, proposals)}
        return [self.moved(features, each, image) for image, each in enumerate(found)]

    def grid_loss(self, features: dict[str, Tensor], proposals: list[Instances]) -> Tensor:
        """Binary cross-entropy of the maps, with and without fusion, of positive regions.

        Args:
            features: of the backbone, by name.
            proposals: B sampled ones with `gt_classes` and, where there are objects, `gt_boxes`.

        Returns:
            A scalar; without a positive region 0, with a gradient for every parameter and map.
        """
        maps = [features[name] for name in self.box_in_features]
        positive, _ = select_foreground_proposals(proposals, self.num_classes)
        counts = [len(each) for each in positive]
        if sum(counts) == 0:
            touched = [*self.grid_head.parameters(), *maps]
            return torch.stack([each.flatten()[:0].float().sum() for each in touched]).sum()
        regions = [
            jittered(each.proposal_boxes.tensor, self.jitter, each.image_size) for each in positive
        ]
        truth = [each.gt_boxes.tensor for each in positive if len(each)]
        joined, objects = torch.cat(regions), torch.cat(truth)
        kept = torch.randperm(len(joined), device=joined.device)[: self.max_samples].sort().values
        image = torch.repeat_interleave(torch.tensor(counts)).to(kept.device)[kept]
        drawn = [Boxes(joined[kept[image == number]]) for number in range(len(counts))]
        fused, plain = self.grid_head(self.grid_pooler(maps, drawn))
        wanted = grid_targets(
            joined[kept], objects[kept], self.grid_head.grid, radius=self.pos_radius
        )
        losses = [
            F.binary_cross_entropy_with_logits(each.float(), wanted) for each in (fused, plain)
        ]
        return (losses[0] + losses[1]) * self.grid_loss_weight

    def moved(self, features: dict[str, Tensor], found: Instances, image: int) -> Instances:
        """Detections of one image, with the boxes that their grids mean.

        Args:
            features: of the backbone, by name, (B, C, H, W).
            found: detections with `pred_boxes`, which are replaced; all else stays.
            image: its place in the batch.
        """
        boxes = found.pred_boxes.tensor
        maps = [features[name][image : image + 1] for name in self.box_in_features]
        # a trace knows one number of chunks
        parts = [boxes] if torch.jit.is_tracing() else boxes.split(self.chunk)
        moved = [
            decode_grid(
                self.grid_head(self.grid_pooler(maps, [Boxes(part)]))[0], part, self.grid_head.grid
            )
            for part in parts
        ]
        found.pred_boxes = Boxes(torch.cat(moved))
        found.pred_boxes.clip(found.image_size)
        return found


def _pooler(keys: CfgNode, shapes: list[ShapeSpec]) -> ROIPooler:
    """The pooler that a head's keys describe, for the levels of these shapes."""
    return ROIPooler(
        output_size=keys.POOLER_RESOLUTION,
        scales=[1.0 / shape.stride for shape in shapes],
        sampling_ratio=keys.POOLER_SAMPLING_RATIO,
        pooler_type=keys.POOLER_TYPE,
    )


def jittered(boxes: Tensor, amplitude: float, image_size: tuple[int, int]) -> Tensor:
    """Boxes (N, 4) moved by up to a share of their sides, and made larger or smaller by it.

    Args:
        boxes: XYXY in pixels.
        amplitude: the share.
        image_size: (height, width), to which they are clipped.
    """
    change = (torch.rand_like(boxes) * 2 - 1) * amplitude
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + sides * change[:, :2]
    half = sides * (1 + change[:, 2:]) / 2
    moved = Boxes(torch.cat([centres - half, centres + half], dim=1))
    moved.clip(image_size)
    return moved.tensor
