"""Optimizers and learning-rate schedules, from a config or from plain arguments."""

from .build import build_lr_scheduler, build_optimizer, maybe_add_gradient_clipping
from .lr_scheduler import LRMultiplier, LRScheduler, WarmupParamScheduler
from .param_groups import get_default_optimizer_params
