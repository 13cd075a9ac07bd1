"""The flow of the second stage: sample, pool, predict, then losses or detections.

Shapes: B images; P proposals of an image before sampling, S after; M ground-truth objects; N
regions of all images together; K classes, where class K is the background.
"""

from typing import Any

import torch
from fvcore.common.registry import Registry
from torch import nn

from ...config import CfgNode, configurable
from ...layers import ShapeSpec
from ...structures import ImageList, Instances, pairwise_iou
from ...utils.events import get_event_storage
from ..matcher import Matcher
from ..poolers import ROIPooler
from ..proposal_generator.proposal_utils import add_ground_truth_to_proposals
from ..sampling import subsample_labels
from .box_head import build_box_head
from .fast_rcnn import FastRCNNOutputLayers

ROI_HEADS_REGISTRY = Registry("ROI_HEADS")
"""Second stages by name. An entry is called with the config and the backbone's output shapes, and
returns a :class:`ROIHeads`, or a module with the same `forward`."""


def build_roi_heads(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> nn.Module:
    """Build `MODEL.ROI_HEADS.NAME` for the backbone's `input_shape`."""
    return ROI_HEADS_REGISTRY.get(cfg.MODEL.ROI_HEADS.NAME)(cfg, input_shape)


class ROIHeads(nn.Module):
    """Matches and samples proposals; subclasses say what to predict from them."""

    @configurable
    def __init__(
        self,
        *,
        num_classes: int,
        batch_size_per_image: int,
        positive_fraction: float,
        proposal_matcher: Matcher,
        proposal_append_gt: bool = True,
    ) -> None:
        """
        Args:
            num_classes: K, without the background.
            batch_size_per_image: S, proposals an image that enter the loss.
            positive_fraction: at most this part of them are objects.
            proposal_matcher: proposals to ground truth.
            proposal_append_gt: add the true boxes to the proposals in training.
        """
        super().__init__()
        self.num_classes = num_classes
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction
        self.proposal_matcher = proposal_matcher
        self.proposal_append_gt = proposal_append_gt

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        keys = cfg.MODEL.ROI_HEADS
        return {
            "num_classes": keys.NUM_CLASSES,
            "batch_size_per_image": keys.BATCH_SIZE_PER_IMAGE,
            "positive_fraction": keys.POSITIVE_FRACTION,
            "proposal_matcher": Matcher(keys.IOU_THRESHOLDS, keys.IOU_LABELS),
            "proposal_append_gt": keys.PROPOSAL_APPEND_GT,
        }

    def _sample_proposals(
        self, matched_idxs: torch.Tensor, matched_labels: torch.Tensor, gt_classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw from the matcher's results (P,) and the classes (M,) of the objects.

        Returns:
            Index (S,) of the drawn proposals, objects first, and their classes (S,).
        """
        if gt_classes.numel() == 0:
            classes = torch.full_like(matched_idxs, self.num_classes)
        else:
            classes = gt_classes[matched_idxs]
            classes[matched_labels == 0] = self.num_classes
            classes[matched_labels == -1] = -1
        objects, background = subsample_labels(
            classes, self.batch_size_per_image, self.positive_fraction, self.num_classes
        )
        drawn = torch.cat([objects, background])
        return drawn, classes[drawn]

    @torch.no_grad()
    def label_and_sample_proposals(
        self, proposals: list[Instances], targets: list[Instances]
    ) -> list[Instances]:
        """Match the proposals of each image and draw those that enter the loss; see `forward`.

        Returns:
            B `Instances` of S proposals with `gt_classes`, and on images with objects all other
            `gt_*` fields of the best object too (meaningless where the class is background).
        """
        if self.proposal_append_gt:
            proposals = add_ground_truth_to_proposals(targets, proposals)
        samples = []
        for candidates, truth in zip(proposals, targets, strict=True):
            overlaps = pairwise_iou(truth.gt_boxes, candidates.proposal_boxes)
            matches, verdicts = self.proposal_matcher(overlaps)
            drawn, classes = self._sample_proposals(matches, verdicts, truth.gt_classes)
            sample = candidates[drawn]
            sample.gt_classes = classes
            if len(truth) > 0:
                owners = matches[drawn]
                for name, value in truth.get_fields().items():
                    if name.startswith("gt_") and not sample.has(name):
                        sample.set(name, value[owners])
            samples.append(sample)
        log_counts([sample.gt_classes != self.num_classes for sample in samples])
        return samples


@ROI_HEADS_REGISTRY.register()
class StandardROIHeads(ROIHeads):
    """Pools each proposal from the pyramid level of its size and predicts class and box."""

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
            mask_in_features, mask_pooler, mask_head, keypoint_in_features, keypoint_pooler,
                keypoint_head, train_on_pred_boxes: not in minid2; NotImplementedError if given.
            kwargs: arguments of :class:`ROIHeads`.
        """
        super().__init__(**kwargs)
        _refuse("MODEL.MASK_ON", mask_in_features or mask_pooler or mask_head)
        _refuse("MODEL.KEYPOINT_ON", keypoint_in_features or keypoint_pooler or keypoint_head)
        _refuse("MODEL.ROI_BOX_HEAD.TRAIN_ON_PRED_BOXES", train_on_pred_boxes)
        self.in_features = self.box_in_features = box_in_features
        self.box_pooler = box_pooler
        self.box_head = box_head
        self.box_predictor = box_predictor

    @classmethod
    def from_config(  # type: ignore[override]  # the boxes' branch needs the shapes too
        cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]
    ) -> dict[str, Any]:
        _refuse("MODEL.MASK_ON", cfg.MODEL.MASK_ON)
        _refuse("MODEL.KEYPOINT_ON", cfg.MODEL.KEYPOINT_ON)
        args = super().from_config(cfg)
        args["train_on_pred_boxes"] = cfg.MODEL.ROI_BOX_HEAD.TRAIN_ON_PRED_BOXES
        args.update(cls._init_box_head(cfg, input_shape))
        return args

    @classmethod
    def _init_box_head(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        """Arguments of the box branch; subclasses with another predictor override this."""
        args, pooled = box_pooling(cfg, input_shape)
        head = build_box_head(cfg, pooled)
        predictor = FastRCNNOutputLayers(cfg, head.output_shape)
        return {**args, "box_head": head, "box_predictor": predictor}

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
            targets: B `Instances` with `gt_boxes` and `gt_classes`, in training mode alone.

        Returns:
            B `Instances` (detections; in training mode the sampled proposals), and a dict of
            losses, empty in evaluation mode.
        """
        if not self.training:
            found = self._forward_box(features, proposals)
            return self.forward_with_given_boxes(features, found), {}
        assert targets is not None, "training needs ground truth"
        proposals = self.label_and_sample_proposals(proposals, targets)
        return proposals, self._forward_box(features, proposals)

    def forward_with_given_boxes(
        self, features: dict[str, torch.Tensor], instances: list[Instances]
    ) -> list[Instances]:
        """Run the heads other than the box head on known boxes: there are none here."""
        return instances

    def _forward_box(self, features: dict[str, torch.Tensor], proposals: list[Instances]) -> Any:
        """The losses of sampled proposals in training mode, else the detections."""
        maps = [features[name] for name in self.box_in_features]
        pooled = self.box_pooler(maps, [p.proposal_boxes for p in proposals])
        predictions = self.box_predictor(self.box_head(pooled))
        if self.training:
            return self.box_predictor.losses(predictions, proposals)
        return self.box_predictor.inference(predictions, proposals)[0]


def box_pooling(
    cfg: CfgNode, input_shape: dict[str, ShapeSpec]
) -> tuple[dict[str, Any], ShapeSpec]:
    """Arguments `box_in_features` and `box_pooler` of the heads, and the shape of a region."""
    keys, names = cfg.MODEL.ROI_BOX_HEAD, cfg.MODEL.ROI_HEADS.IN_FEATURES
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
    region = ShapeSpec(channels=channels.pop(), height=size, width=size)
    return {"box_in_features": names, "box_pooler": pooler}, region


def log_counts(is_object: list[torch.Tensor]) -> None:
    """Write how many objects and how much else the regions (N_i,) of an image hold in the mean."""
    joined = torch.cat(is_object)
    objects, images = int(joined.sum()), len(is_object)
    storage = get_event_storage()
    storage.put_scalar("roi_head/num_fg_samples", objects / images)
    storage.put_scalar("roi_head/num_bg_samples", (len(joined) - objects) / images)


def _refuse(key: str, wanted: Any) -> None:
    if wanted:
        raise NotImplementedError(f"{key}: minid2 has plain box heads alone; install Detectron2")
