"""Thin wrappers over torch: N images, C channels, H x W a feature map."""

from collections.abc import Callable
from typing import Any

import torch
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


def nonzero_tuple(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The indices of what is not zero, a vector for each dimension."""
    return x.nonzero(as_tuple=True)


def move_device_like(src: torch.Tensor, dst: torch.Tensor) -> torch.Tensor:
    """``src`` on the device of ``dst``."""
    return src.to(dst.device)
