"""True batch statistics for the BatchNorm layers, in place of running averages."""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice

from torch import nn

from ..utils.events import EventStorage
from .trainer_base import HookBase


class PreciseBN(HookBase):
    """True statistics for the BatchNorm layers every ``period`` iterations and at the end.

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
        if (self._period > 0 and done % self._period == 0) or done == self.trainer.max_iter:
            self.update_stats()

    def update_stats(self) -> None:
        from fvcore.nn.precise_bn import update_bn_stats  # slow to import

        logging.getLogger(__name__).info("Running precise-BN for %d iterations.", self._num_iter)
        if self._batches is None:
            self._batches = iter(self._data_loader)
        with EventStorage():  # what the model stores here is not part of the training
            update_bn_stats(self._model, islice(self._batches, self._num_iter), self._num_iter)
