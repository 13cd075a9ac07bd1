"""Step the learning-rate schedule."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import torch
from fvcore.common.param_scheduler import ParamScheduler

from ...solver import LRMultiplier
from ..trainer_base import HookBase

TorchScheduler = torch.optim.lr_scheduler.LRScheduler


class LRScheduler(HookBase):
    """Store the present rate as ``lr`` and step the schedule, after every iteration.

    Args:
        optimizer: by default the trainer's.
        scheduler: a torch scheduler, or an fvcore :class:`ParamScheduler`, which is a factor on
            the optimizer's rates; by default the trainer's ``scheduler``.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer | None = None,
        scheduler: TorchScheduler | ParamScheduler | None = None,
    ) -> None:
        self._optimizer: Any = optimizer
        self._scheduler = scheduler

    def before_train(self) -> None:
        """Find the optimizer and the schedule; choose the group whose rate is shown."""
        if self._optimizer is None:
            self._optimizer = self.trainer.optimizer
        if isinstance(self.scheduler, ParamScheduler):
            self._scheduler = LRMultiplier(
                self._optimizer,
                self.scheduler,
                self.trainer.max_iter,
                last_iter=self.trainer.iter - 1,
            )
        self._shown_group = self.get_best_param_group_id(self._optimizer)

    @staticmethod
    def get_best_param_group_id(optimizer: torch.optim.Optimizer) -> int:
        """Index of the group to show.

        It is the one with most parameters, or, where each has a single one, the first of those
        with the most common rate.
        """
        sizes = [len(group["params"]) for group in optimizer.param_groups]
        if max(sizes) > 1:
            return sizes.index(max(sizes))
        rates = [group["lr"] for group in optimizer.param_groups]
        return rates.index(Counter(rates).most_common(1)[0][0])

    def after_step(self) -> None:
        """Store the rate that the iteration had, and step."""
        lr = self._optimizer.param_groups[self._shown_group]["lr"]
        self.trainer.storage.put_scalar("lr", lr, smoothing_hint=False)
        self.scheduler.step()

    @property
    def scheduler(self) -> TorchScheduler | ParamScheduler:
        """The schedule given, or else the trainer's."""
        return self.trainer.scheduler if self._scheduler is None else self._scheduler

    def state_dict(self) -> dict[str, Any]:
        """The state of a torch schedule; a :class:`ParamScheduler` has none."""
        if isinstance(self.scheduler, TorchScheduler):
            return self.scheduler.state_dict()
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        if isinstance(self.scheduler, TorchScheduler):
            logging.getLogger(__name__).info("Loading scheduler from state_dict ...")
            self.scheduler.load_state_dict(state_dict)
