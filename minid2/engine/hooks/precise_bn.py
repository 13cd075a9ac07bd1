"""True batch statistics for the BatchNorm layers, in place of running averages."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice

from torch import nn

from ...utils.events import EventStorage
from ..trainer_base import HookBase


class PreciseBN(HookBase):
    """Recompute the statistics of BatchNorm layers every ``period`` iterations and at the end.

    A running average follows weights that have moved on; this averages over batches that the
    present weights see.

    Args:
        period: in iterations; 0 for none before the end.
        model: those of its BatchNorm layers that are in training mode are updated.
        data_loader: yields batches for ``model(batch)``, enough of them.
        num_iter: batches to average over.
    """

    def __init__(self, period: int, model: nn.Module, data_loader: Iterable, num_iter: int) -> None:
        self._period = period
        self._model = model
        self._data_loader = data_loader
        self._num_iter = num_iter
        self._batches: Iterator | None = None

    def after_step(self) -> None:
        """Update if it is time; before the hooks that save and evaluate."""
        done = self.trainer.iter + 1
        periodic = self._period > 0 and done % self._period == 0
        if periodic or done == self.trainer.max_iter:
            self.update_stats()

    def update_stats(self) -> None:
        """Update the model's statistics now; does nothing without BatchNorm in training mode."""
        from fvcore.nn.precise_bn import get_bn_modules, update_bn_stats  # slow to import

        log = logging.getLogger(__name__)
        if not get_bn_modules(self._model):
            log.info("PreciseBN has no BatchNorm layer in training mode to update.")
            return
        log.info(
            "Running precise-BN for %d iterations; fresh data give slightly different "
            "statistics each time.",
            self._num_iter,
        )
        if self._batches is None:
            self._batches = iter(self._data_loader)
        with EventStorage():  # what the model stores here is not part of the training
            update_bn_stats(self._model, islice(self._batches, self._num_iter), self._num_iter)
