"""Optimizer and schedule as the config's ``SOLVER`` describes them."""

from collections.abc import Callable
from typing import Any

import torch
from fvcore.common.param_scheduler import (
    CosineParamScheduler,
    MultiStepParamScheduler,
    ParamScheduler,
)
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..config import CfgNode
from ..host import logger_of
from .lr_scheduler import LRMultiplier, WarmupParamScheduler
from .param_groups import get_default_optimizer_params

__all__ = ["build_lr_scheduler", "build_optimizer", "get_default_optimizer_params"]
__all__ += ["maybe_add_gradient_clipping"]


def build_optimizer(cfg: CfgNode, model: torch.nn.Module) -> Optimizer:
    """SGD with momentum, with the decay and bias rules and the clipping of ``cfg.SOLVER``.

    Another optimizer is a choice of code: override ``DefaultTrainer.build_optimizer``, with
    ``maybe_add_gradient_clipping(cfg, torch.optim.AdamW)`` for example, or name it in a lazy
    config; ``get_default_optimizer_params`` makes its parameter groups.
    """
    solver = cfg.SOLVER
    groups = get_default_optimizer_params(
        model,
        base_lr=solver.BASE_LR,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
    )
    return maybe_add_gradient_clipping(cfg, torch.optim.SGD)(
        params=groups,
        lr=solver.BASE_LR,
        momentum=solver.MOMENTUM,
        nesterov=solver.NESTEROV,
        weight_decay=solver.WEIGHT_DECAY,
        foreach=True,  # one kernel for many tensors, on every device alike
    )


def maybe_add_gradient_clipping(cfg: CfgNode, optimizer: type[Optimizer]) -> Callable[..., Any]:
    """The optimizer class, or a subclass that clips if ``SOLVER.CLIP_GRADIENTS.ENABLED``.

    The subclass is called ``<Name>WithGradientClip``. It clips each parameter's gradient at the
    start of ``step``, hence after a gradient scaler has unscaled.

    Raises:
        ValueError: ``CLIP_TYPE`` is neither "value" nor "norm".
    """
    options = cfg.SOLVER.CLIP_GRADIENTS
    if not options.ENABLED:
        return optimizer
    if options.CLIP_TYPE not in ("value", "norm"):
        raise ValueError(
            f"SOLVER.CLIP_GRADIENTS.CLIP_TYPE is {options.CLIP_TYPE!r}: choose 'value' or 'norm'."
        )

    def clip_all(this: Optimizer, args: Any, kwargs: Any) -> None:
        for group in this.param_groups:
            for param in group["params"]:
                if param.grad is None:  # clip_grad_value_ fails without one
                    continue
                if options.CLIP_TYPE == "value":
                    clip_grad_value_(param, options.CLIP_VALUE)
                else:
                    clip_grad_norm_(param, options.CLIP_VALUE, norm_type=options.NORM_TYPE)

    def init_and_hook(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        optimizer.__init__(self, *args, **kwargs)
        self.register_step_pre_hook(clip_all)

    return type(f"{optimizer.__name__}WithGradientClip", (optimizer,), {"__init__": init_and_hook})


def build_lr_scheduler(cfg: CfgNode, optimizer: Optimizer) -> LRScheduler:
    """The schedule ``SOLVER.LR_SCHEDULER_NAME`` behind its warm-up, stepped once an iteration.

    Raises:
        ValueError: the name is neither WarmupMultiStepLR nor WarmupCosineLR, or a cosine schedule
            would rise.
    """
    solver = cfg.SOLVER
    schedule = WarmupParamScheduler(
        _build_schedule(solver),
        warmup_factor=solver.WARMUP_FACTOR,
        warmup_length=min(1.0, solver.WARMUP_ITERS / solver.MAX_ITER),
        warmup_method=solver.WARMUP_METHOD,
        rescale_interval=solver.RESCALE_INTERVAL,
    )
    return LRMultiplier(optimizer, multiplier=schedule, max_iter=solver.MAX_ITER)


def _build_schedule(solver: CfgNode) -> ParamScheduler:
    """The factor on the base rate over the run, warm-up apart."""
    name = solver.LR_SCHEDULER_NAME
    if name == "WarmupMultiStepLR":
        drops = [step for step in solver.STEPS if step <= solver.MAX_ITER]
        if len(drops) < len(solver.STEPS):
            logger_of(__name__).warning(
                "SOLVER.STEPS contains values larger than SOLVER.MAX_ITER. "
                "These values will be ignored."
            )
        return MultiStepParamScheduler(
            values=[solver.GAMMA**power for power in range(len(drops) + 1)],
            milestones=drops,
            num_updates=solver.MAX_ITER,
        )
    if name == "WarmupCosineLR":
        last = solver.BASE_LR_END / solver.BASE_LR
        if not 0.0 <= last <= 1.0:
            raise ValueError(
                f"SOLVER.BASE_LR_END ({solver.BASE_LR_END}) must lie between 0 and "
                f"SOLVER.BASE_LR ({solver.BASE_LR}) for WarmupCosineLR."
            )
        return CosineParamScheduler(1.0, last)
    raise ValueError(
        f"Unknown LR scheduler: {name} (SOLVER.LR_SCHEDULER_NAME); choose WarmupMultiStepLR or "
        "WarmupCosineLR (the real Detectron2 has WarmupStepWithFixedGammaLR, too)."
    )
