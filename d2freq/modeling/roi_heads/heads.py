"""Detectron2's ROI heads with :class:`WeightedOutputLayers` as their box predictors."""

from collections.abc import Sequence
from typing import Any

from detectron2.config import CfgNode
from detectron2.modeling import ROI_HEADS_REGISTRY
from detectron2.modeling.roi_heads import CascadeROIHeads, StandardROIHeads
from detectron2.structures import Instances

from d2freq.errors import UserError
from d2freq.modeling.ground_truth import check_classes
from d2freq.modeling.registration import register
from d2freq.modeling.roi_heads.box_predictor import WeightedOutputLayers
from d2freq.modeling.roi_heads.config import cascade_loss_keys
from d2freq.utils.own_keys import own_keys

__all__ = ["D2FreqCascadeROIHeads", "D2FreqROIHeads", "weigh_stages"]


class KnownClasses:
    """RoI heads that name an object of a class that they do not know, before a loss fails of it."""

    num_classes: int

    def label_and_sample_proposals(
        self, proposals: list[Instances], targets: list[Instances]
    ) -> list[Instances]:
        """See ROIHeads.

        Raises:
            DatasetError: an object is of a class that the model does not know.
        """
        key = "MODEL.ROI_HEADS.NUM_CLASSES"
        check_classes(targets, self.num_classes, key=key, ignores=True)
        return super().label_and_sample_proposals(proposals, targets)  # type: ignore[misc]


@register(ROI_HEADS_REGISTRY)
class D2FreqROIHeads(KnownClasses, StandardROIHeads):
    """StandardROIHeads that reads MODEL.ROI_BOX_HEAD.CLS_LOSS and the keys beside it.

    A lazy config keeps StandardROIHeads and names WeightedOutputLayers as ``box_predictor``.
    """

    @classmethod
    def _init_box_head(cls, cfg: CfgNode, input_shape: dict) -> dict[str, Any]:
        made = super()._init_box_head(cfg, input_shape)
        shape = made["box_head"].output_shape
        return {**made, "box_predictor": WeightedOutputLayers(cfg, shape)}


@register(ROI_HEADS_REGISTRY)
class D2FreqCascadeROIHeads(KnownClasses, CascadeROIHeads):
    """CascadeROIHeads that reads them, at every stage, and MODEL.ROI_BOX_CASCADE_HEAD.LOSS_WEIGHTS.

    A lazy config weighs stages by the ``loss_weight`` of their predictors.
    """

    @classmethod
    def _init_box_head(cls, cfg: CfgNode, input_shape: dict) -> dict[str, Any]:
        made = super()._init_box_head(cfg, input_shape)
        predictors = [
            WeightedOutputLayers(
                cfg, head.output_shape, box2box_transform=predictor.box2box_transform
            )
            for head, predictor in zip(made["box_heads"], made["box_predictors"], strict=True)
        ]
        keys = own_keys(cfg, "MODEL.ROI_BOX_CASCADE_HEAD", cascade_loss_keys(), shared=True)
        weigh_stages(predictors, keys.LOSS_WEIGHTS)
        return {**made, "box_predictors": predictors}


def weigh_stages(predictors: Sequence[Any], weights: Sequence[float]) -> None:
    """Multiply both losses of each stage's predictor by the stage's factor; none leaves them.

    Raises:
        UserError: another number of factors, one below 0, or all of them 0.
    """
    if not weights:
        return
    numbers = all(isinstance(weight, int | float) for weight in weights)
    fits = numbers and len(weights) == len(predictors) and min(weights) >= 0 and max(weights) > 0
    if not fits:
        raise UserError(
            f"MODEL.ROI_BOX_CASCADE_HEAD.LOSS_WEIGHTS {list(weights)}: a factor from 0 on for each "
            f"of the {len(predictors)} stages of IOUS, one of them above 0"
        )
    for predictor, factor in zip(predictors, weights, strict=True):
        usual = {"loss_cls": 1.0, "loss_box_reg": 1.0, **predictor.loss_weight}
        predictor.loss_weight = {name: weight * factor for name, weight in usual.items()}
