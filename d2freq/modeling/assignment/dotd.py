"""DotD: anchors by how far their centres are from objects', in sizes of the data set's objects.

Source: Xu et al., CVPR Workshops 2021, "Dot Distance for Tiny Object Detection in Aerial Images".
It is the rule of the RPN with another measure in the place of overlap: exp(-D / S), where D is the
distance of the centres and S the mean size of the objects.

Shape shorthand: n objects, M anchors.
"""

import math

from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.assignment.max_iou import MaxIoUAssigner
from d2freq.modeling.assignment.ranking import check_threshold
from d2freq.ops.boxes import NWD_CONSTANT
from d2freq.utils.ranges import POSITIVE

__all__ = ["DotDAssigner"]


class DotDAssigner(MaxIoUAssigner):
    """Anchors whose centre is near enough to an object's, and the nearest ones of each object.

    The sizes of object and anchor have no part in it: of anchors that share a centre all are
    equally near, on every level. Memory is that of :class:`MaxIoUAssigner`.

    Args:
        constant: S in pixels, the root of the mean area of the data set's objects; here AI-TOD's.
        positive: similarity from which on an anchor is positive; with the default constant 0.7 is
            4.5 pixels.
        negative: an anchor that is less similar to every object is negative; 0.3 is 15 pixels.
        min_positive: similarity that an object's nearest anchors must have to become positive.

    Raises:
        UserError: a value out of range.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.assignment import DotDAssigner
        >>> truth = torch.tensor([[10.0, 10, 14, 14]])
        >>> anchors = torch.tensor([[8.0, 8, 16, 16], [16.0, 16, 24, 24], [90.0, 90, 98, 98]])
        >>> matches, labels = DotDAssigner()(truth, anchors)
        >>> labels.tolist()  # positive, ignored, negative
        [1, -1, 0]
    """

    def __init__(
        self,
        *,
        constant: float = NWD_CONSTANT,
        positive: float = 0.7,
        negative: float = 0.3,
        min_positive: float = 0.3,
    ) -> None:
        check_threshold(min_positive, "min_positive (MODEL.DOTD.MIN_POS)")
        super().__init__(
            positive_iou=positive, negative_iou=negative, min_positive_iou=min_positive
        )
        if constant not in POSITIVE:
            raise UserError(
                f"constant (MODEL.DOTD.CONSTANT): got {constant!r}; give pixels above 0"
            )
        self.constant = constant
        thresholds = (self.positive_iou, self.negative_iou, self.min_positive_iou)
        # A similarity of at least t is a squared distance of at most (S ln t)^2; squares tie where
        # distances do, and their bits do not depend on how many there are, as those of exp may.
        squares = [-((constant * math.log(each)) ** 2) for each in thresholds]
        self.positive_iou, self.negative_iou, self.min_positive_iou = squares

    def similarity(self, truth: Tensor, anchors: Tensor) -> Tensor:
        """-D^2 of objects (n, 4) and anchors (M, 4), (n, M) square pixels, which orders as DotD."""
        one, other = ((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (truth, anchors))
        squared = (one[:, :1] - other[:, 0]).square_()
        squared += (one[:, 1:] - other[:, 1]).square_()
        return squared.neg_()
