"""Clip gradients at the start of every optimizer step, whichever optimizer it is."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar, cast

import torch
from torch.optim import Optimizer

from ..config import CfgNode

_OptimizerT = TypeVar("_OptimizerT", bound="type[Optimizer] | Optimizer")


class GradientClipType(Enum):
    """What ``SOLVER.CLIP_GRADIENTS.CLIP_TYPE`` may be; both act on one parameter at a time."""

    VALUE = "value"
    NORM = "norm"


def maybe_add_gradient_clipping(cfg: CfgNode, optimizer: _OptimizerT) -> _OptimizerT:
    """Return ``optimizer`` such that it clips, if ``SOLVER.CLIP_GRADIENTS.ENABLED``.

    The clipping happens inside ``step``, hence after a gradient scaler has unscaled.

    Args:
        cfg: the whole config.
        optimizer: an optimizer class; a ready optimizer is taken too, and changed in place.

    Returns:
        The class itself when clipping is off, else a subclass named ``<Name>WithGradientClip``
        (for a ready optimizer: the optimizer).

    Raises:
        ValueError: ``CLIP_TYPE`` is unknown.
    """
    if not cfg.SOLVER.CLIP_GRADIENTS.ENABLED:
        return optimizer
    clip = _build_clipper(cfg.SOLVER.CLIP_GRADIENTS)

    def clip_all(this: Optimizer, args: Any, kwargs: Any) -> None:
        for group in this.param_groups:
            for param in group["params"]:
                if param.grad is not None:  # torch's clip_grad_value_ fails without one
                    clip(param)

    if isinstance(optimizer, Optimizer):
        optimizer.register_step_pre_hook(clip_all)
        return optimizer

    def init_and_hook(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        optimizer.__init__(self, *args, **kwargs)
        self.register_step_pre_hook(clip_all)

    name = f"{optimizer.__name__}WithGradientClip"
    return cast(_OptimizerT, type(name, (optimizer,), {"__init__": init_and_hook}))


def _build_clipper(options: CfgNode) -> Callable[[torch.Tensor], Any]:
    limit, norm_type = float(options.CLIP_VALUE), float(options.NORM_TYPE)
    known = [kind.value for kind in GradientClipType]
    if options.CLIP_TYPE not in known:
        raise ValueError(
            f"SOLVER.CLIP_GRADIENTS.CLIP_TYPE is {options.CLIP_TYPE!r}: choose one of {known}."
        )
    if GradientClipType(options.CLIP_TYPE) is GradientClipType.VALUE:
        return lambda param: torch.nn.utils.clip_grad_value_(param, limit)
    return lambda param: torch.nn.utils.clip_grad_norm_(param, limit, norm_type=norm_type)
