"""Adaptive convolution: a 3x3 kernel stretched over the anchor of its cell (Cascade RPN, Sec. 3.2).

Shape shorthand: B images, C input and D output channels, H x W cells of a level of stride S.
"""

import torch
from torch import Tensor, nn

from d2freq.ops.dct import autocast_off
from d2freq.ops.deformable import deformable_convolution

__all__ = ["AdaptiveConv", "adaptive_offsets"]


def adaptive_offsets(anchors: Tensor, *, height: int, width: int, stride: int) -> Tensor:
    """Where the nine taps of a 3x3 convolution move, so that they span the anchor of each cell.

    The middle tap moves to the anchor's centre and the outer ones to its edges. An anchor of two
    strides at its cell moves nothing.

    Args:
        anchors: (B, H * W, 4) XYXY in pixels, row by row; the cell of row i and column j is at
            (S j, S i), as of an anchor generator with offset 0.
        height, width: H, W.
        stride: S in pixels.

    Returns:
        (B, 18, H, W) in cells, (y, x) of each tap, taps row by row: what
        :func:`d2freq.ops.deformable.deformable_convolution` takes.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.cascade_rpn import adaptive_offsets
        >>> anchor = torch.tensor([[[-4.0, -8.0, 4.0, 8.0]]])  # 2 x 4 strides
        >>> adaptive_offsets(anchor, height=1, width=1, stride=4)[0, :, 0, 0].view(9, 2).tolist()[0]
        [-1.0, 0.0]
    """
    corners = (anchors / stride).reshape(-1, height, width, 4).permute(0, 3, 1, 2)
    left, top, right, bottom = corners.unbind(dim=1)
    rows = torch.arange(height, dtype=anchors.dtype, device=anchors.device)[:, None]
    columns = torch.arange(width, dtype=anchors.dtype, device=anchors.device)
    down, across = (top + bottom) / 2 - rows, (left + right) / 2 - columns
    taller, wider = (bottom - top) / 2 - 1, (right - left) / 2 - 1
    taps = (-1, 0, 1)
    moved = [(down + y * taller, across + x * wider) for y in taps for x in taps]
    return torch.stack([axis for tap in moved for axis in tap], dim=1)


class AdaptiveConv(nn.Module):
    """3x3 convolution without bias whose taps span the anchor of each cell; nothing is learned of
    where they lie.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        nn.init.normal_(self.weight, std=0.01)

    def forward(self, x: Tensor, offsets: Tensor) -> Tensor:
        """(B, C, H, W) and :func:`adaptive_offsets` to (B, D, H, W) in the dtype of ``x``."""
        with autocast_off(x):
            # half precision is too coarse for a place on the grid
            found = deformable_convolution(x.float(), offsets.float(), self.weight.float())
        return found.to(x.dtype)
