"""Save checkpoints periodically, and whenever a metric is at its best."""

from __future__ import annotations

import logging
import math
import operator

from fvcore.common.checkpoint import Checkpointer
from fvcore.common.checkpoint import PeriodicCheckpointer as _PeriodicCheckpointer

from ..trainer_base import HookBase


class PeriodicCheckpointer(_PeriodicCheckpointer, HookBase):
    """fvcore's :class:`PeriodicCheckpointer` as a hook; it saves after the last iteration too."""

    def before_train(self) -> None:
        """Learn when the training ends."""
        self.max_iter = self.trainer.max_iter

    def after_step(self) -> None:
        """Save if it is time."""
        self.step(self.trainer.iter)


class BestCheckpointer(HookBase):
    """Save a checkpoint when a validation metric is better than ever before in this run.

    It belongs after the hook that computes the metric, such as :class:`EvalHook`.

    Args:
        eval_period: the evaluation's period in iterations.
        checkpointer: saves the checkpoint.
        val_metric: name of the stored metric, for example "bbox/AP50".
        mode: "max" or "min", whichever is better.
        file_prefix: name of the file, without its ending.
    """

    def __init__(
        self,
        eval_period: int,
        checkpointer: Checkpointer,
        val_metric: str,
        mode: str = "max",
        file_prefix: str = "model_best",
    ) -> None:
        assert mode in ("max", "min"), f"BestCheckpointer: mode is 'max' or 'min', not {mode!r}"
        self._logger = logging.getLogger(__name__)
        self._period = eval_period
        self._val_metric = val_metric
        self._is_better = operator.gt if mode == "max" else operator.lt
        self._checkpointer = checkpointer
        self._file_prefix = file_prefix
        self.best_metric: float | None = None
        self.best_iter: int | None = None

    def after_step(self) -> None:
        """Look at the metric after a periodic evaluation; the last one comes after training."""
        done = self.trainer.iter + 1
        if self._period > 0 and done % self._period == 0 and done != self.trainer.max_iter:
            self._save_if_best()

    def after_train(self) -> None:
        """Look at the metric of the final evaluation."""
        if self.trainer.iter >= self.trainer.max_iter:
            self._save_if_best()

    def _save_if_best(self) -> None:
        stored = self.trainer.storage.latest().get(self._val_metric)
        if stored is None:
            self._logger.warning(
                "Given val metric %s does not seem to be computed/stored. "
                "Will not be checkpointing based on it.",
                self._val_metric,
            )
            return
        value, iteration = stored
        if not math.isfinite(value) or not self._beats_best(value):
            self._logger.info(
                "Not saving as latest eval score for %s is %.5f, not better than %s.",
                self._val_metric,
                value,
                self._describe_best(),
            )
            return
        self._logger.info(
            "Saving best model: %s is %.5f @ iteration %d, after %s.",
            self._val_metric,
            value,
            iteration,
            self._describe_best(),
        )
        self.best_metric, self.best_iter = value, iteration
        self._checkpointer.save(self._file_prefix, iteration=iteration)

    def _beats_best(self, value: float) -> bool:
        return self.best_metric is None or self._is_better(value, self.best_metric)

    def _describe_best(self) -> str:
        if self.best_metric is None:
            return "no score yet"
        return f"best score {self.best_metric:.5f} @ iteration {self.best_iter}"
