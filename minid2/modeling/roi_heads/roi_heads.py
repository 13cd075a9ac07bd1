"""The flow of the second stage: sample, pool, predict, then losses or detections.

Shapes: B images, C channels, H x W a feature map.
"""

from typing import Any

import torch
from fvcore.common.registry import Registry
from torch import nn

from ...config import CfgNode, configurable
from ...host import refuse
from ...layers import ShapeSpec
from ...structures import ImageList, Instances
from ..poolers import ROIPooler
from .box_head import build_box_head
from .fast_rcnn import FastRCNNOutputLayers
from .mask_head import build_mask_head
from .region_sampling import ROIHeads, select_foreground_proposals

__all__ = ["ROI_HEADS_REGISTRY", "ROIHeads", "StandardROIHeads", "build_roi_heads"]
__all__ += ["select_foreground_proposals"]

ROI_HEADS_REGISTRY = Registry("ROI_HEADS")
"""Second stages by name. An entry is called with the config and the backbone's output shapes, and
returns a :class:`ROIHeads`, or a module with the same `forward`."""


def build_roi_heads(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> nn.Module:
    """Build `MODEL.ROI_HEADS.NAME` for the backbone's `input_shape`."""
    return ROI_HEADS_REGISTRY.get(cfg.MODEL.ROI_HEADS.NAME)(cfg, input_shape)


@ROI_HEADS_REGISTRY.register()
class StandardROIHeads(ROIHeads):
    """Pools each proposal from the pyramid level of its size and predicts class, box and mask."""

    box_predictor: Any  # FastRCNNOutputLayers, or what a subclass puts in its place

    @configurable
    def __init__(
        self,
        *,
        box_in_features: list[str],
        box_pooler: ROIPooler,
        box_head: nn.Module,
        box_predictor: nn.Module,
        mask_in_features: list[str] | None = None,
        mask_pooler: ROIPooler | None = None,
        mask_head: nn.Module | None = None,
        keypoint_in_features: list[str] | None = None,
        keypoint_pooler: ROIPooler | None = None,
        keypoint_head: nn.Module | None = None,
        train_on_pred_boxes: bool = False,
        **kwargs: Any,
    ) -> None:
        """
        Args:
            box_in_features: names of the feature maps, finest first.
            box_pooler: boxes to (N, C, bins, bins).
            box_head: that to a feature a region.
            box_predictor: that to scores and boxes, like :class:`FastRCNNOutputLayers`.
            mask_in_features: as `box_in_features`, for masks; None for no masks.
            mask_pooler: as `box_pooler`.
            mask_head: from regions to losses or masks, like :class:`BaseMaskRCNNHead`.
            keypoint_in_features, keypoint_pooler, keypoint_head, train_on_pred_boxes: not in
                minid2; NotImplementedError if given.
            kwargs: arguments of :class:`ROIHeads`.
        """
        super().__init__(**kwargs)
        refuse("MODEL.KEYPOINT_ON", keypoint_in_features or keypoint_pooler or keypoint_head)
        refuse("MODEL.ROI_BOX_HEAD.TRAIN_ON_PRED_BOXES", train_on_pred_boxes)
        self.in_features = self.box_in_features = box_in_features
        self.box_pooler = box_pooler
        self.box_head = box_head
        self.box_predictor = box_predictor
        self.mask_on = mask_in_features is not None
        refuse("a mask head without a mask_pooler", self.mask_on and mask_pooler is None)
        self.mask_in_features = mask_in_features
        self.mask_pooler = mask_pooler
        self.mask_head = mask_head

    @classmethod
    def from_config(  # type: ignore[override]  # the boxes' branch needs the shapes too
        cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]
    ) -> dict[str, Any]:
        refuse("MODEL.KEYPOINT_ON", cfg.MODEL.KEYPOINT_ON)
        args = super().from_config(cfg)
        args["train_on_pred_boxes"] = cfg.MODEL.ROI_BOX_HEAD.TRAIN_ON_PRED_BOXES
        args.update(cls._init_box_head(cfg, input_shape))
        args.update(cls._init_mask_head(cfg, input_shape))
        return args

    @classmethod
    def _init_box_head(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """Arguments of the box branch; subclasses with another predictor override this."""
        args, pooled = box_pooling(cfg, input_shape)
        head = build_box_head(cfg, pooled)
        predictor = FastRCNNOutputLayers(cfg, head.output_shape)
        return {**args, "box_head": head, "box_predictor": predictor}

    @classmethod
    def _init_mask_head(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """Arguments of the mask branch, none without masks; see `_init_box_head`."""
        if not cfg.MODEL.MASK_ON:
            return {}
        keys, names = cfg.MODEL.ROI_MASK_HEAD, cfg.MODEL.ROI_HEADS.IN_FEATURES
        pooler, pooled = _pooling(cfg, keys, input_shape)
        head = build_mask_head(cfg, pooled)
        return {"mask_in_features": names, "mask_pooler": pooler, "mask_head": head}

    def forward(
        self,
        images: ImageList,
        features: dict[str, torch.Tensor],
        proposals: list[Instances],
        targets: list[Instances] | None = None,
    ) -> tuple[list[Instances], dict[str, torch.Tensor]]:
        """Losses or detections.

        Args:
            images: the batch.
            features: name to (B, C, H, W).
            proposals: B `Instances` with `proposal_boxes` and `objectness_logits`.
            targets: B `Instances` with `gt_boxes`, `gt_classes` and, for a mask head, `gt_masks`;
                in training mode alone.

        Returns:
            B `Instances` (detections; in training mode the sampled proposals), and a dict of
            losses, empty in evaluation mode.
        """
        if not self.training:
            found = self._forward_box(features, proposals)
            return self.forward_with_given_boxes(features, found), {}
        assert targets is not None, "training needs ground truth"
        proposals = self.label_and_sample_proposals(proposals, targets)
        losses = self._forward_box(features, proposals)
        losses.update(self._forward_mask(features, proposals))
        return proposals, losses

    def forward_with_given_boxes(
        self, features: dict[str, torch.Tensor], instances: list[Instances]
    ) -> list[Instances]:
        """Add masks to instances with `pred_boxes` and `pred_classes`, and return them.

        Without a mask head they stay as they are.
        """
        assert not self.training, "known boxes are for evaluation mode"
        return self._forward_mask(features, instances)

    def _forward_box(self, features: dict[str, torch.Tensor], proposals: list[Instances]) -> Any:
        """The losses of sampled proposals in training mode, else the detections."""
        maps = [features[name] for name in self.box_in_features]
        pooled = self.box_pooler(maps, [p.proposal_boxes for p in proposals])
        predictions = self.box_predictor(self.box_head(pooled))
        if self.training:
            return self.box_predictor.losses(predictions, proposals)
        return self.box_predictor.inference(predictions, proposals)[0]

    def _forward_mask(self, features: dict[str, torch.Tensor], instances: list[Instances]) -> Any:
        """The loss of sampled proposals in training mode, else `instances` with `pred_masks`."""
        if not self.mask_on:
            return {} if self.training else instances
        assert self.mask_in_features is not None
        assert self.mask_pooler is not None and self.mask_head is not None
        if self.training:
            instances, _ = select_foreground_proposals(instances, self.num_classes)
        boxes = [each.proposal_boxes if self.training else each.pred_boxes for each in instances]
        maps = [features[name] for name in self.mask_in_features]
        return self.mask_head(self.mask_pooler(maps, boxes), instances)


def box_pooling(
    cfg: CfgNode, input_shape: dict[str, ShapeSpec]
) -> tuple[dict[str, Any], ShapeSpec]:
    """Arguments `box_in_features` and `box_pooler` of the heads, and the shape of a region."""
    pooler, region = _pooling(cfg, cfg.MODEL.ROI_BOX_HEAD, input_shape)
    return {"box_in_features": cfg.MODEL.ROI_HEADS.IN_FEATURES, "box_pooler": pooler}, region


def _pooling(
    cfg: CfgNode, keys: CfgNode, input_shape: dict[str, ShapeSpec]
) -> tuple[ROIPooler, ShapeSpec]:
    """The pooler of a head with the config section `keys`, and the shape of what it gives."""
    names = cfg.MODEL.ROI_HEADS.IN_FEATURES
    shapes = [input_shape[name] for name in names]
    channels = {shape.channels for shape in shapes}
    if len(channels) != 1:
        raise ValueError(
            f"MODEL.ROI_HEADS.IN_FEATURES {names} must agree in channels, got {channels}"
        )
    size = keys.POOLER_RESOLUTION
    pooler = ROIPooler(
        output_size=size,
        scales=tuple(1.0 / (shape.stride or 1) for shape in shapes),
        sampling_ratio=keys.POOLER_SAMPLING_RATIO,
        pooler_type=keys.POOLER_TYPE,
    )
    return pooler, ShapeSpec(channels=channels.pop(), height=size, width=size)
