"""How DefaultTrainer and the loop inside it are tied together."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn

from ...config import CfgNode
from ..train_loop import AMPTrainer, HookBase, SimpleTrainer, TrainerBase


def of_inner_loop(name: str) -> Any:
    """An attribute that lives in ``_trainer``, the loop that does the iterations."""
    return property(
        lambda self: getattr(self._trainer, name),
        lambda self, value: setattr(self._trainer, name, value),
        doc=f"The inner training loop's ``{name}``.",
    )


class RelayAfterBackward(HookBase):
    """Tells the outer trainer's hooks what only the inner loop sees; keeps no state."""

    def __init__(self, outer: TrainerBase) -> None:
        self._outer = weakref.proxy(outer)

    def after_backward(self) -> None:
        """Between backward pass and step of the inner loop."""
        self._outer.after_backward()


def build_inner_loop(
    cfg: CfgNode, model: nn.Module, data_loader: Any, optimizer: torch.optim.Optimizer
) -> SimpleTrainer:
    """The loop that does the iterations; in mixed precision if the config asks for it."""
    if not cfg.SOLVER.AMP.ENABLED:
        return SimpleTrainer(model, data_loader, optimizer)
    on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
    precision = torch.bfloat16 if on_cpu else torch.float16
    return AMPTrainer(model, data_loader, optimizer, precision=precision)
