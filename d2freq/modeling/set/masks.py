"""Where the objects are: the mask M of SET, Eq. 1, at the size of a pyramid level.

Shape shorthand: B images, N boxes of the image that has most, H x W the padded image in pixels,
h x w the level.

A box covers a product of two intervals, so a level's mask is made from the intervals of its rows
and columns; the mask at full resolution, which the published code resizes, never exists.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from d2freq.utils.choices import choice

__all__ = ["RULES", "foreground_mask"]


def foreground_mask(
    boxes: Sequence[Tensor],
    padded: tuple[int, int],
    level: tuple[int, int],
    *,
    rule: str = "nearest",
) -> Tensor:
    """The cells of a level that belong to an object.

    A level's cells divide the padded image evenly, also where stride times w exceeds W, as
    interpolation has it. Boxes may leave the image; the part outside counts for nothing. A box of
    no width or height, and one with a NaN, covers nothing.

    Args:
        boxes: B tensors (N_b, 4) of x1, y1, x2, y2 in pixels of the padded image, any dtype.
        padded: H and W.
        level: h and w.
        rule: "nearest" or "any". "nearest", as published: coordinates are cut to whole pixels
            and the pixel at a cell's top left decides, so a box smaller than a cell can vanish.
            "any": a cell is foreground if a box overlaps it, so every box keeps a cell at least.

    Returns:
        (B, 1, h, w) bool, on the device of the boxes.

    Raises:
        UserError: an unknown rule.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.set import foreground_mask
        >>> boxes = [torch.tensor([[0.0, 0, 8, 16]])]
        >>> foreground_mask(boxes, padded=(32, 32), level=(4, 4))[0, 0].int().tolist()
        [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    """
    choice(rule, RULES, key="SET: mask rule (MODEL.SET.MASK)")
    # filled up with empty boxes, to one at least: torch.compile of 2.6 cannot pad none at all
    one = boxes[0].new_zeros(1, 4)
    corners = pad_sequence([*boxes, one], batch_first=True)[:-1].float()
    left, top, right, bottom = corners.unbind(-1)
    rows = RULES[rule](top, bottom, padded[0], level[0])
    columns = RULES[rule](left, right, padded[1], level[1])
    # How many boxes cover a cell, as one product: an outer "and" would be (B, N, h, w).
    return (rows.mT.float() @ columns.float() > 0)[:, None]


def _sampled(start: Tensor, end: Tensor, size: int, cells: int) -> Tensor:
    """(B, N) and (B, N) -> (B, N, cells): the pixel that nearest interpolation takes is inside."""
    pixels = torch.arange(size, dtype=torch.float32, device=start.device)
    # Interpolated, not computed: the rounding of the step is then torch's own.
    taken = F.interpolate(pixels[None, None], size=cells, mode="nearest")[0, 0]
    return (start.trunc()[..., None] <= taken) & (taken < end.trunc()[..., None])


def _overlapped(start: Tensor, end: Tensor, size: int, cells: int) -> Tensor:
    """(B, N) and (B, N) -> (B, N, cells): the interval has a length and meets the cell."""
    edges = torch.arange(cells + 1, device=start.device) * size / cells
    meets = (start[..., None] < edges[1:]) & (edges[:-1] < end[..., None])
    return meets & (start < end)[..., None]


RULES = {"nearest": _sampled, "any": _overlapped}
