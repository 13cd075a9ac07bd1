"""Thin wrappers over torch: a convolution that carries its norm, and losses that bear emptiness."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

__all__ = [
    "BatchNorm2d",
    "Conv2d",
    "ConvTranspose2d",
    "Linear",
    "cat",
    "cross_entropy",
    "empty_input_loss_func_wrapper",
    "interpolate",
    "move_device_like",
    "nonzero_tuple",
    "shapes_to_tensor",
]

# torch handles empty batches in these by itself; the names remain for callers.
BatchNorm2d = nn.BatchNorm2d
ConvTranspose2d = nn.ConvTranspose2d
Linear = nn.Linear
interpolate = F.interpolate


class Conv2d(nn.Conv2d):
    """``torch.nn.Conv2d`` followed by an optional norm and an optional activation.

    The norm is a submodule ``norm``, so its state lies under ``<conv>.norm.*``.
    """

    def __init__(
        self,
        *args: Any,
        norm: nn.Module | None = None,
        activation: Callable[[torch.Tensor], torch.Tensor] | None = None,
        **kwargs: Any,
    ):
        """Take the arguments of ``torch.nn.Conv2d``, and two more.

        Args:
            args: positional arguments of ``torch.nn.Conv2d``.
            norm: applied to the result of the convolution.
            activation: applied last; a function or a module.
            kwargs: keyword arguments of ``torch.nn.Conv2d``.
        """
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


def cat(tensors: Sequence[torch.Tensor], dim: int = 0) -> torch.Tensor:
    """``torch.cat`` that hands a single tensor through without a copy."""
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(f"cat takes a list or tuple of tensors, got {type(tensors).__name__}")
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors, dim)


def empty_input_loss_func_wrapper(loss_func: Callable[..., torch.Tensor]) -> Callable:
    """Make a mean loss over no elements 0 (with a gradient path) instead of NaN."""

    def loss_or_zero(
        input: torch.Tensor, target: torch.Tensor, *, reduction: str = "mean", **kwargs: Any
    ) -> torch.Tensor:
        if reduction == "mean" and target.numel() == 0:
            return 0.0 * input.sum()
        return loss_func(input, target, reduction=reduction, **kwargs)

    loss_or_zero.__doc__ = f"``{loss_func.__name__}``, but 0 for the mean over no elements."
    return loss_or_zero


cross_entropy = empty_input_loss_func_wrapper(F.cross_entropy)


def nonzero_tuple(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Indices of the nonzero elements, one int64 vector a dimension."""
    return torch.nonzero(x, as_tuple=True)


def shapes_to_tensor(
    x: Sequence[int | torch.Tensor], device: torch.device | None = None
) -> torch.Tensor:
    """Integers, or scalar tensors as a tracer yields them, as one int64 vector.

    Scalar tensors are stacked and not read, so that a trace keeps them dynamic.
    """
    if any(isinstance(value, torch.Tensor) for value in x):
        return torch.stack([torch.as_tensor(value, device=device) for value in x])
    return torch.as_tensor(x, device=device)


def move_device_like(src: torch.Tensor, dst: torch.Tensor) -> torch.Tensor:
    """``src`` on the device of ``dst``; a trace keeps that device as a constant."""
    return src.to(dst.device)
