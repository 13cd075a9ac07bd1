"""Cascade R-CNN: box heads in a row, each trained on the boxes of the one before.

Shapes: B images, P boxes of an image, N boxes of all images together, K classes, where class K is
the background.
"""

from typing import Any

import torch
from torch import nn

from ...config import CfgNode, configurable
from ...layers import ShapeSpec
from ...structures import Boxes, ImageList, Instances, pairwise_iou
from ...utils.events import get_event_storage
from ..box_regression import Box2BoxTransform
from ..matcher import Matcher, boxes_of_matches, classes_of_matches
from ..poolers import ROIPooler
from .box_head import build_box_head
from .fast_rcnn import FastRCNNOutputLayers, Predictions, fast_rcnn_inference
from .region_sampling import log_counts
from .roi_heads import ROI_HEADS_REGISTRY, StandardROIHeads, box_pooling


class _ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, factor: float) -> torch.Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient * ctx.factor, None


@ROI_HEADS_REGISTRY.register()
class CascadeROIHeads(StandardROIHeads):
    """Refines each box stage by stage, for a higher overlap at each."""

    box_head: nn.ModuleList
    box_predictor: nn.ModuleList

    @configurable
    def __init__(
        self,
        *,
        box_in_features: list[str],
        box_pooler: ROIPooler,
        box_heads: list[nn.Module],
        box_predictors: list[nn.Module],
        proposal_matchers: list[Matcher],
        **kwargs: Any,
    ) -> None:
        """
        Args:
            box_in_features, box_pooler: see :class:`StandardROIHeads`.
            box_heads, box_predictors: one a stage; a predictor gives one box for all classes.
            proposal_matchers: boxes to ground truth, one a stage. That of the first matches
                proposals, before they are sampled, the others what the stage before predicted.
            kwargs: other arguments of :class:`StandardROIHeads`, but no `proposal_matcher`.
        """
        if not len(box_heads) == len(box_predictors) == len(proposal_matchers) > 0:
            raise ValueError(
                f"a cascade of {len(box_heads)} box_heads needs as many box_predictors, got "
                f"{len(box_predictors)}, and proposal_matchers, got {len(proposal_matchers)}"
            )
        super().__init__(
            box_in_features=box_in_features,
            box_pooler=box_pooler,
            box_head=nn.ModuleList(box_heads),
            box_predictor=nn.ModuleList(box_predictors),
            proposal_matcher=proposal_matchers[0],
            **kwargs,
        )
        self.proposal_matchers = proposal_matchers

    @property
    def num_cascade_stages(self) -> int:
        """How many box heads there are."""
        return len(self.box_head)

    @classmethod
    def from_config(  # type: ignore[override]  # as in StandardROIHeads
        cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]
    ) -> dict[str, Any]:
        args = super().from_config(cfg, input_shape)
        del args["proposal_matcher"]  # there is one for each stage
        return args

    @classmethod
    def _init_box_head(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        ious = cfg.MODEL.ROI_BOX_CASCADE_HEAD.IOUS
        weights = cfg.MODEL.ROI_BOX_CASCADE_HEAD.BBOX_REG_WEIGHTS
        if not cfg.MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG:
            raise ValueError(
                "CascadeROIHeads refines one box for all classes: set "
                "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG to True"
            )
        if len(ious) != len(weights) or ious[0] != cfg.MODEL.ROI_HEADS.IOU_THRESHOLDS[0]:
            raise ValueError(
                f"MODEL.ROI_BOX_CASCADE_HEAD.IOUS {ious} needs as many BBOX_REG_WEIGHTS, got "
                f"{len(weights)}, and begins with MODEL.ROI_HEADS.IOU_THRESHOLDS, got "
                f"{cfg.MODEL.ROI_HEADS.IOU_THRESHOLDS}"
            )
        args, pooled = box_pooling(cfg, input_shape)
        heads, predictors = [], []
        for stage_weights in weights:
            heads.append(build_box_head(cfg, pooled))
            transform = Box2BoxTransform(weights=stage_weights)
            shape = heads[-1].output_shape
            predictors.append(FastRCNNOutputLayers(cfg, shape, box2box_transform=transform))
        matchers = [Matcher([iou], [0, 1], allow_low_quality_matches=False) for iou in ious]
        return {
            **args,
            "box_heads": heads,
            "box_predictors": predictors,
            "proposal_matchers": matchers,
        }

    def forward(
        self,
        images: ImageList,
        features: dict[str, torch.Tensor],
        proposals: list[Instances],
        targets: list[Instances] | None = None,
    ) -> tuple[list[Instances], dict[str, torch.Tensor]]:
        """As :meth:`StandardROIHeads.forward`; "_stage0" and so on end the names of the losses."""
        if not self.training:
            return super().forward(images, features, proposals)
        assert targets is not None, "training needs ground truth"
        proposals = self.label_and_sample_proposals(proposals, targets)
        losses = self._forward_box(features, proposals, targets)
        losses.update(self._forward_mask(features, proposals))
        return proposals, losses

    def _forward_box(
        self,
        features: dict[str, torch.Tensor],
        proposals: list[Instances],
        targets: list[Instances] | None = None,
    ) -> Any:
        """The losses of sampled proposals in training mode, else the detections."""
        maps = [features[name] for name in self.box_in_features]
        image_sizes = [p.image_size for p in proposals]
        stages: list[tuple[Any, Predictions, list[Instances]]] = []
        for stage, predictor in enumerate(self.box_predictor):
            if stage > 0:
                before, predictions, proposals = stages[-1]
                boxes = before.predict_boxes(predictions, proposals)
                proposals = self._create_proposals_from_boxes(list(boxes), image_sizes)
                if self.training:
                    assert targets is not None
                    proposals = self._match_and_label_boxes(proposals, stage, targets)
            stages.append((predictor, self._run_stage(maps, proposals, stage), proposals))
        if self.training:
            return self._losses(stages)
        # Every head scores the boxes that it got; the last one says where they end.
        scores = [predictor.predict_probs(found, given) for predictor, found, given in stages]
        means = [sum(each) / self.num_cascade_stages for each in zip(*scores, strict=True)]
        predictor, predictions, proposals = stages[-1]
        return fast_rcnn_inference(
            list(predictor.predict_boxes(predictions, proposals)),
            means,
            image_sizes,
            predictor.test_score_thresh,
            predictor.test_nms_thresh,
            predictor.test_topk_per_image,
        )[0]

    @staticmethod
    def _losses(stages: list[tuple[Any, Predictions, list[Instances]]]) -> dict[str, torch.Tensor]:
        losses = {}
        for stage, (predictor, predictions, proposals) in enumerate(stages):
            with get_event_storage().name_scope(f"stage{stage}"):
                for name, value in predictor.losses(predictions, proposals).items():
                    losses[f"{name}_stage{stage}"] = value
        return losses

    @torch.no_grad()
    def _match_and_label_boxes(
        self, proposals: list[Instances], stage: int, targets: list[Instances]
    ) -> list[Instances]:
        """Give B `proposals` the `gt_classes` and `gt_boxes` of their best object, in place.

        All of them are used, none is drawn: a stage improves what the one before gave it.
        """
        is_object = []
        for boxes, truth in zip(proposals, targets, strict=True):
            overlaps = pairwise_iou(truth.gt_boxes, boxes.proposal_boxes)
            matches, verdicts = self.proposal_matchers[stage](overlaps)
            # What the matcher ignores keeps its class here: no stage leaves anything out.
            boxes.gt_classes = classes_of_matches(
                truth.gt_classes, matches, verdicts != 0, self.num_classes
            )
            boxes.gt_boxes = Boxes(boxes_of_matches(truth.gt_boxes, matches))
            is_object.append(verdicts == 1)
        with get_event_storage().name_scope(f"stage{stage}"):
            log_counts(is_object)
        return proposals

    def _run_stage(
        self, features: list[torch.Tensor], proposals: list[Instances], stage: int
    ) -> Predictions:
        """Scores (N, K + 1) and deltas (N, 4) of the head of a stage."""
        pooled = self.box_pooler(features, [p.proposal_boxes for p in proposals])
        if self.training:
            # All stages train the same features: they share the gradient of one.
            pooled = _ScaleGradient.apply(pooled, 1.0 / self.num_cascade_stages)
        return self.box_predictor[stage](self.box_head[stage](pooled))

    def _create_proposals_from_boxes(
        self, boxes: list[torch.Tensor], image_sizes: list[tuple[int, int]]
    ) -> list[Instances]:
        """B `Instances` with `proposal_boxes`: ``boxes`` (P, 4) cut off from their gradient.

        They are clipped. In training those without area are dropped; in inference all stay, as the
        scores of the stages are averaged by their place.
        """
        proposals = []
        for tensor, size in zip(boxes, image_sizes, strict=True):
            clipped = Boxes(tensor.detach())
            clipped.clip(size)
            if self.training:
                clipped = clipped[clipped.nonempty()]
            proposals.append(Instances(size, proposal_boxes=clipped))
        return proposals
