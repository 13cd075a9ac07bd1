"""Detectron2's box numbers of anchors, from four factors that a config gives."""

from collections.abc import Sequence

from detectron2.modeling.box_regression import Box2BoxTransform

from d2freq.errors import UserError
from d2freq.utils.ranges import POSITIVE

__all__ = ["box_transform"]


def box_transform(weights: Sequence[float], *, key: str) -> Box2BoxTransform:
    """Box numbers and anchors to boxes.

    Args:
        weights: what the numbers (dx, dy, dw, dh) are divided by.
        key: of the config, as a message names it: "MODEL.ATSS.BBOX_REG_WEIGHTS".

    Raises:
        UserError: other than four numbers above 0.

    Examples:
        >>> from d2freq.modeling.detectors.box_transform import box_transform
        >>> box_transform([10, 10, 5, 5], key="MODEL.ATSS.BBOX_REG_WEIGHTS").weights
        (10.0, 10.0, 5.0, 5.0)
    """
    numbers = isinstance(weights, Sequence) and not isinstance(weights, str)
    if not numbers or len(weights) != 4 or not all(weight in POSITIVE for weight in weights):
        raise UserError(f"{key}: got {weights!r}; give four numbers above 0, of dx, dy, dw and dh")
    x, y, width, height = map(float, weights)
    return Box2BoxTransform(weights=(x, y, width, height))
