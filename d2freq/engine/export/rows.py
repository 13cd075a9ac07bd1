"""Choices that a traced detector makes for all pictures of a batch at once.

Shape shorthand: R rows (a picture, or a picture and one of its levels or classes), K classes, n
candidates of a row, best first or not. A place without a candidate has the score NOTHING.

A trace keeps Python's loops as often as they ran for the example, so nothing here loops over
pictures in Python, and sizes that a trace would have to follow are filled up to fixed ones.
"""

import functools
from typing import Any

import torch
import torch.nn.functional as F
import torchvision  # noqa: F401  brings the operator torchvision::nms
from torch import Tensor

__all__ = ["NOTHING", "best", "gather_rows", "is_there", "suppress"]

NOTHING = -1e30  # below every score and logit; minus infinity would become NaN in a product


def is_there(scores: Tensor) -> Tensor:
    """Which places have a candidate."""
    return scores > NOTHING / 2


def best(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` highest of each row.

    Args:
        scores: (R, n), n at least 1.

    Returns:
        scores (R, count), falling, NOTHING where n is less; and places (R, count) int64.
    """
    filled = F.pad(scores, [0, count], value=NOTHING)
    found, places = filled.topk(count, dim=1)
    return found, torch.clamp(places, max=_last(scores))


def gather_rows(values: Tensor, places: Tensor) -> Tensor:
    """Entries ``places`` (R, m) of ``values`` (R, n, d), as (R, m, d)."""
    return values.gather(1, places.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


def suppress(boxes: Tensor, scores: Tensor, *, iou: float) -> Tensor:
    """Scores of what non-maximum suppression keeps within each row and class, else NOTHING.

    Args:
        boxes: (R, n, 4) XYXY.
        scores: (R, K, n).
        iou: over which the lower scored of two goes.

    Returns:
        (R, K, n).
    """
    if torch.onnx.is_in_onnx_export():
        kept = _OnnxSuppression.apply(boxes, scores, iou)
        row, kind, place = kept.unbind(1)
        left = torch.full_like(scores, NOTHING)
        return left.index_put((row, kind, place), scores[row, kind, place])
    if torch.jit.is_tracing():
        return _script()(boxes, scores, iou, NOTHING)
    return _suppress_in_turn(boxes, scores, iou, NOTHING)


def _last(scores: Tensor) -> Any:
    return scores.shape[1] - 1


class _OnnxSuppression(torch.autograd.Function):
    """ONNX's NonMaxSuppression, which takes rows and classes; torchvision's translation cannot."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor, iou: float) -> Tensor:
        """(M, 3) int64: row, class and place of what is kept."""
        return is_there(_suppress_in_turn(boxes, scores, iou, NOTHING)).nonzero()

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, iou: float) -> Any:
        """The operator in the graph ``g``."""
        limit = g.op("Constant", value_t=torch.tensor([2**31 - 1], dtype=torch.int64))
        overlap = g.op("Constant", value_t=torch.tensor([iou], dtype=torch.float32))
        least = g.op("Constant", value_t=torch.tensor([NOTHING / 2], dtype=torch.float32))
        return g.op("NonMaxSuppression", boxes, scores, limit, overlap, least)


@functools.cache
def _script() -> Any:
    """A script, whose loops go on looping in a trace; made when first traced, as it takes time."""
    return torch.jit.script(_suppress_in_turn)


def _suppress_in_turn(boxes: Tensor, scores: Tensor, iou: float, nothing: float) -> Tensor:
    """Shapes as of ``suppress``; in the part of Python that TorchScript knows."""
    left = torch.full_like(scores, nothing)
    for row in range(scores.shape[0]):
        for kind in range(scores.shape[1]):
            own = scores[row, kind]
            candidates = (own > nothing / 2).nonzero()[:, 0]
            if candidates.numel() > 0:
                kept = torch.ops.torchvision.nms(boxes[row][candidates], own[candidates], iou)
                kept = candidates[kept]
                left[row, kind, kept] = own[kept]
    return left
