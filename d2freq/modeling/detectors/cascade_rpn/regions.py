"""Labels of the first stage: the middle of each object on the level of its size.

Source: Cascade RPN, Sec. 3.3, with the rules of its region assigner as published in code: they
depend on the order of the objects.

Shape shorthand: N objects, L levels of H x W cells (each its own), T cells over all levels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.assignment.ranking import check_finite

__all__ = ["RegionAssigner"]

NEGATIVE, IGNORED = -2, -1  # in the place of an object's number


class RegionAssigner:
    """The cells around an object's centre are positive, those around them ignored.

    Args:
        center_ratio: share of the sides within which the cells of the object's level are positive.
        ignore_ratio: share within which they are ignored, also a level above and below.

    Raises:
        UserError: not 0 <= center_ratio <= ignore_ratio <= 1.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.cascade_rpn import RegionAssigner
        >>> truth = torch.tensor([[4.0, 4, 20, 20]])
        >>> matches, labels = RegionAssigner()(truth, shapes=[(6, 6)], strides=[4], smallest=8.0)
        >>> labels.view(6, 6)[3].tolist()  # the row of the centre, which lies at cell 3
        [0, 0, -1, 1, -1, 0]
    """

    def __init__(self, *, center_ratio: float = 0.2, ignore_ratio: float = 0.5) -> None:
        if not 0 <= center_ratio <= ignore_ratio <= 1:
            raise UserError(
                f"center_ratio {center_ratio!r} and ignore_ratio {ignore_ratio!r} "
                "(MODEL.CASCADE_RPN.CENTER_RATIO, IGNORE_RATIO): give two shares from 0 to 1, the "
                "second one not below the first"
            )
        self.center_ratio = center_ratio
        self.ignore_ratio = ignore_ratio

    @torch.no_grad()
    def __call__(
        self,
        truth: Tensor,
        *,
        shapes: Sequence[tuple[int, int]],
        strides: Sequence[int],
        smallest: float,
    ) -> tuple[Tensor, Tensor]:
        """Label the cells of all levels.

        Object after object: its ignored region on its own level, over what is there, then its
        positive one. At last the ignored regions a level above and below, over positives too.

        Args:
            truth: (N, 4) XYXY in pixels.
            shapes: (H, W) of the L levels.
            strides: of the levels, each twice the one before; a cell of row i and column j stands
                for the point (S j, S i).
            smallest: side of the finest level's anchors, in pixels; those of the others double.

        Returns:
            matches: (T,) int64, the object of a positive cell; without meaning elsewhere.
            labels: (T,) int8; 1 positive, 0 negative, -1 ignored.

        Raises:
            UserError: an object has a coordinate that is NaN or infinite.
        """
        check_finite(truth)
        owners = [np.full(shape, NEGATIVE, dtype=np.int64) for shape in shapes]
        truth = truth.float()
        top = len(shapes) - 1
        sides = (truth[:, 2:] - truth[:, :2]).clamp(min=0)
        steps = torch.log2(sides.prod(dim=1).sqrt() / smallest)  # -inf of a box without area
        levels = torch.floor(steps + 0.5).clamp(0, top).long().tolist()
        # a transfer a level, and not one an object
        maps = list(zip(shapes, strides, strict=True))
        ignored = [_edges(truth, self.ignore_ratio, *level) for level in maps]
        central = [_edges(truth, self.center_ratio, *level) for level in maps]
        for number, level in enumerate(levels):
            owners[level][_within(ignored[level][number])] = IGNORED
            owners[level][_within(central[level][number])] = number
        for number, level in enumerate(levels):
            for beside in (level - 1, level + 1):
                if 0 <= beside <= top:
                    owners[beside][_within(ignored[beside][number])] = IGNORED
        joined = torch.from_numpy(np.concatenate([level.ravel() for level in owners]))
        labels = (joined >= 0).to(torch.int8) - (joined == IGNORED).to(torch.int8)
        return joined.clamp(min=0).to(truth.device), labels.to(truth.device)


def _edges(truth: Tensor, ratio: float, shape: tuple[int, int], stride: int) -> list[list[int]]:
    """N first and last columns and rows, x1, y1, x2, y2, of the middle of each object."""
    margin = (1 - ratio) / 2
    start, end = (truth / stride).split(2, dim=1)
    middle = [(1 - margin) * start + margin * end, margin * start + (1 - margin) * end]
    limit = torch.tensor([shape[1], shape[0]], device=truth.device).repeat(2)
    edges = torch.cat(middle, dim=1).round()
    return torch.minimum(edges.clamp(min=0), limit).long().tolist()


def _within(edges: list[int]) -> tuple[slice, slice]:
    """Rows and columns from the first to the last; none where an object lies beyond the map."""
    left, top, right, bottom = edges
    return slice(top, bottom + 1), slice(left, right + 1)
