"""Thin wrappers over torch and torchvision.

Shapes: N images, C channels, H x W a feature map, R regions.
"""

from collections.abc import Callable
from typing import Any

import torch
import torchvision
from torch import nn
from torch.nn import functional as F


class Conv2d(nn.Conv2d):
    """``torch.nn.Conv2d`` followed by an optional norm, then an optional activation.

    The norm is a submodule ``norm``, so its state lies under ``<conv>.norm.*``.
    """

    def __init__(
        self,
        *args: Any,
        norm: nn.Module | None = None,
        activation: Callable[[torch.Tensor], torch.Tensor] | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self.norm = norm
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H', W'); N may be 0."""
        x = super().forward(x)
        for step in (self.norm, self.activation):
            if step is not None:
                x = step(x)
        return x


class ROIAlign(torchvision.ops.RoIAlign):
    """Crops of (N, C, H, W) at regions (R, 5), image index and XYXY in input pixels.

    ``sampling_ratio`` 0 takes as many samples a bin as the region's size asks for. ``aligned``
    shifts by half a pixel, so that continuous coordinates meet pixel centres.
    """

    def __init__(
        self,
        output_size: int | tuple[int, int],
        spatial_scale: float,
        sampling_ratio: int,
        aligned: bool = True,
    ):
        super().__init__(output_size, spatial_scale, sampling_ratio, aligned)

    def forward(self, input: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
        """Crop to (R, C, height, width), in the dtype of ``input``."""
        return super().forward(input, rois.to(dtype=input.dtype))


def batched_nms(
    boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float
) -> torch.Tensor:
    """Suppress among the boxes (N, 4) of equal ``idxs`` (N,), a class or level, only.

    Returns:
        (K,) int64, the boxes that stay, by falling score.
    """
    # In float32, as half precision merges neighbours.
    return torchvision.ops.batched_nms(boxes.float(), scores, idxs, iou_threshold)


def cat(tensors: list[torch.Tensor], dim: int = 0) -> torch.Tensor:
    """``torch.cat`` that hands a single tensor through without a copy."""
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors, dim)


def cross_entropy(
    input: torch.Tensor, target: torch.Tensor, *, reduction: str = "mean", **kwargs: Any
) -> torch.Tensor:
    """``torch.nn.functional.cross_entropy``, but 0 for the mean over no elements."""
    if reduction == "mean" and target.numel() == 0:
        return 0.0 * input.sum()
    return F.cross_entropy(input, target, reduction=reduction, **kwargs)
