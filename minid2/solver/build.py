"""Optimizer and schedule as the config's ``SOLVER`` describes them."""

from __future__ import annotations

import logging
import math

import torch
from fvcore.common.param_scheduler import (
    CosineParamScheduler,
    MultiStepParamScheduler,
    ParamScheduler,
)
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..config import CfgNode
from .gradient_clipping import GradientClipType, maybe_add_gradient_clipping
from .lr_scheduler import LRMultiplier, WarmupParamScheduler
from .param_groups import get_default_optimizer_params, reduce_param_groups

__all__ = [
    "GradientClipType",
    "build_lr_scheduler",
    "build_optimizer",
    "get_default_optimizer_params",
    "maybe_add_gradient_clipping",
    "reduce_param_groups",
]


def build_optimizer(cfg: CfgNode, model: torch.nn.Module) -> Optimizer:
    """SGD with momentum, with the decay and bias rules and the clipping of ``cfg.SOLVER``.

    Configs know SGD only. Another optimizer is a choice of code; with AdamW, for example::

        class Trainer(DefaultTrainer):
            @classmethod
            def build_optimizer(cls, cfg, model):
                groups = get_default_optimizer_params(
                    model, base_lr=cfg.SOLVER.BASE_LR, weight_decay_norm=0.0
                )
                adamw = maybe_add_gradient_clipping(cfg, torch.optim.AdamW)
                return adamw(groups, lr=cfg.SOLVER.BASE_LR, weight_decay=cfg.SOLVER.WEIGHT_DECAY)

    or, in a lazy config, ``optimizer = L(torch.optim.AdamW)(...)`` whose ``params`` is
    ``L(get_default_optimizer_params)(...)``.
    """
    solver = cfg.SOLVER
    groups = get_default_optimizer_params(
        model,
        base_lr=solver.BASE_LR,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
    )
    optimizer_type = maybe_add_gradient_clipping(cfg, torch.optim.SGD)
    return optimizer_type(
        params=groups,
        lr=solver.BASE_LR,
        momentum=solver.MOMENTUM,
        nesterov=solver.NESTEROV,
        weight_decay=solver.WEIGHT_DECAY,
        foreach=True,  # one kernel for many tensors, on every device alike
    )


def build_lr_scheduler(cfg: CfgNode, optimizer: Optimizer) -> LRScheduler:
    """The schedule ``SOLVER.LR_SCHEDULER_NAME`` behind its warm-up, stepped once an iteration.

    Names: WarmupMultiStepLR, WarmupCosineLR, WarmupStepWithFixedGammaLR.

    Raises:
        ValueError: the name is unknown, or a cosine schedule would rise.
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
            logging.getLogger(__name__).warning(
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
    if name == "WarmupStepWithFixedGammaLR":
        # Not fvcore's StepWithFixedGammaParamScheduler: it fails at the very end of a training.
        phases = solver.NUM_DECAYS + 1
        return MultiStepParamScheduler(
            values=[solver.GAMMA**phase for phase in range(phases)],
            milestones=[math.ceil(phase * solver.MAX_ITER / phases) for phase in range(1, phases)],
            num_updates=solver.MAX_ITER,
        )
    raise ValueError(
        f"Unknown LR scheduler: {name} (SOLVER.LR_SCHEDULER_NAME); choose WarmupMultiStepLR, "
        "WarmupCosineLR or WarmupStepWithFixedGammaLR."
    )
