"""Marquardt's rule for a batch of fits: steps that lower the objective are taken, and lengthened.

Single frames and windows of several share it; what a fit is, only their callables know.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["descend"]

DAMPING, EASIER, HARDER = 1e-2, 0.2, 6.0  # Marquardt's, at the start and after a step
STUCK = 1e8  # damping from which on a step is too short to matter

F = TypeVar("F", bound=Any)  # Fit or JointFit


def descend(
    frames: Tensor,
    start: F,
    *,
    left_over: Callable[[Tensor, F], Tensor],
    objective: Callable[[Tensor, F], Tensor],
    step: Callable[[Tensor, F, Tensor, Tensor], F],
    steps: int,
    settled: float,
) -> F:
    """Fits whose objective has settled, or that have made ``steps`` steps.

    Args:
        frames: (N, ...) float64.
        start: N fits; their objective is not read.
        left_over: residuals, of the shape of ``frames``, of frames and fits.
        objective: (N,) of residuals and fits.
        step: fits moved once, of frames, fits, residuals and damping (N,).
        settled: change of the objective at which a fit is done.
    """
    left = left_over(frames, start)
    fits = replace(start, objective=objective(left, start))
    damping = frames.new_full((len(frames),), DAMPING)
    busy = torch.arange(len(frames), device=frames.device)
    for _ in range(steps):
        if not len(busy):
            break
        own, pixels = fits[busy], frames[busy]
        moved = step(pixels, own, left[busy], damping[busy])
        new_left = left_over(pixels, moved)
        moved = replace(moved, objective=objective(new_left, moved))
        gain = own.objective - moved.objective
        better = gain > 0
        fits = fits.put(busy[better], moved[better])
        left[busy[better]] = new_left[better]
        damping[busy] *= torch.where(better, EASIER, HARDER)
        busy = busy[(gain.abs() > settled) & (damping[busy] < STUCK)]
    return fits
