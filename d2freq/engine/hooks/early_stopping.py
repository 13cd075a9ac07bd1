"""Training ends when a metric of the evaluation has stopped improving."""

import logging
import os
from collections.abc import Callable

from detectron2.utils import comm

from d2freq.engine.hooks.evaluation import AfterEvaluation, Watched, non_negative, told_by_main

__all__ = ["EarlyStopping", "StoppedEarly"]

logger = logging.getLogger(__name__)


class StoppedEarly(BaseException):
    """Ends a training in good order; no Exception, as Detectron2 would log it as an error."""


class EarlyStopping(AfterEvaluation):
    """Save ``model_final.pth`` and end after ``patience`` evaluations without improvement.

    It stands behind all other hooks, so that they have seen the last evaluation. An evaluation
    whose metric is NaN counts as one without improvement. What was measured is kept in
    ``early_stopping.json`` and counts after ``--resume``.

    Args:
        eval_period: iterations from one evaluation to the next.
        folder: of the record.
        val_metric: as in metrics.json: "bbox/AP50".
        mode: "max" or "min".
        patience: how many evaluations in a row may bring nothing.
        min_delta: by how much a value has to be better than the best before it.
        save: saves ``model_final.pth``; called in every process.
        key: where the switches are, for messages.

    Raises:
        UserError: another mode, or a number below 0.
    """

    def __init__(
        self,
        eval_period: int,
        folder: str,
        val_metric: str,
        mode: str = "max",
        *,
        patience: int,
        min_delta: float = 0.0,
        save: Callable[[], None],
        key: str = "EARLY_STOPPING",
    ) -> None:
        super().__init__(eval_period)
        non_negative(patience, f"{key}.PATIENCE")
        non_negative(min_delta, f"{key}.MIN_DELTA")
        self._patience, self._min_delta, self._save = patience, min_delta, save
        self._key = key
        file = os.path.join(folder, "early_stopping.json")
        self.watched = Watched(val_metric, mode, file, key=key)
        self._evaluations = self._best_at = 0
        self._best: float | None = None

    def before_train(self) -> None:
        self.watched.begin(self.trainer.start_iter, forget_later=True)
        self._evaluations = self._best_at = 0
        self._best = None
        for _, value in self.watched.values:
            self._count(value)
        if self._waited >= self._patience and self.watched.values:
            logger.warning(
                "%s: the training had stopped after %d evaluations without improvement; a larger "
                "PATIENCE lets it go on",
                *(self._key, self._waited),
            )
            raise StoppedEarly

    def evaluated(self) -> None:
        """Count, and end where the patience is over."""
        if comm.is_main_process():
            storage = self.trainer.storage
            self._count(self.watched.look(storage.latest(), storage.iter))
            self.watched.save()
        if not told_by_main(self._waited >= self._patience):
            return
        if self.trainer.iter >= self.trainer.max_iter:  # it has come to its end anyway
            return
        logger.info(
            "%s: %s has not improved in %d evaluations (best: %s); training ends at iteration %d",
            *(self._key, self.watched.metric, self._waited, self._best, self.trainer.iter),
        )
        self._save()
        raise StoppedEarly

    @property
    def _waited(self) -> int:
        return self._evaluations - self._best_at

    def _count(self, value: float | None) -> None:
        self._evaluations += 1
        if value is None:
            return
        if self._best is None or self.watched.better(value, self._best, by=self._min_delta):
            self._best, self._best_at = value, self._evaluations
