"""Detectron2's ROI heads with :class:`WeightedOutputLayers` as their box predictors."""

from typing import Any

from detectron2.config import CfgNode
from detectron2.modeling import ROI_HEADS_REGISTRY
from detectron2.modeling.roi_heads import CascadeROIHeads, StandardROIHeads

from d2freq.modeling.roi_heads.box_predictor import WeightedOutputLayers

__all__ = ["D2FreqCascadeROIHeads", "D2FreqROIHeads"]


@ROI_HEADS_REGISTRY.register()
class D2FreqROIHeads(StandardROIHeads):
    """StandardROIHeads that reads MODEL.ROI_BOX_HEAD.CLS_LOSS and the keys beside it.

    A lazy config keeps StandardROIHeads and names WeightedOutputLayers as ``box_predictor``.
    """

    @classmethod
    def _init_box_head(cls, cfg: CfgNode, input_shape: dict) -> dict[str, Any]:
        made = super()._init_box_head(cfg, input_shape)
        shape = made["box_head"].output_shape
        return {**made, "box_predictor": WeightedOutputLayers(cfg, shape)}


@ROI_HEADS_REGISTRY.register()
class D2FreqCascadeROIHeads(CascadeROIHeads):
    """CascadeROIHeads that reads them, at every stage."""

    @classmethod
    def _init_box_head(cls, cfg: CfgNode, input_shape: dict) -> dict[str, Any]:
        made = super()._init_box_head(cfg, input_shape)
        predictors = [
            WeightedOutputLayers(
                cfg, head.output_shape, box2box_transform=predictor.box2box_transform
            )
            for head, predictor in zip(made["box_heads"], made["box_predictors"], strict=True)
        ]
        return {**made, "box_predictors": predictors}
