"""The weights that were best by a metric of the evaluation, in model_best.pth."""

import logging
import os
from contextlib import nullcontext
from pathlib import Path

import torch
from detectron2.utils import comm
from torch import nn

from d2freq.engine.hooks.ema import ModelEMA
from d2freq.engine.hooks.evaluation import AfterEvaluation, Watched
from d2freq.utils.files import replacing

__all__ = ["BestCheckpointer", "save_weights"]

logger = logging.getLogger(__name__)


class BestCheckpointer(AfterEvaluation):
    """Detectron2's BestCheckpointer, which also knows the best after ``--resume``.

    It saves the weights alone, under a name that ``--resume`` does not take for the latest
    checkpoint, and a record with all values, ``model_best.json``. A NaN is never the best. Of equal
    values the first stays.

    Args:
        eval_period: iterations from one evaluation to the next.
        model: wrapped or not.
        folder: where the file goes.
        val_metric: as in metrics.json: "bbox/AP50"; with "ema/" in front the averaged weights are
            saved.
        mode: "max" or "min".
        file_prefix: the file's name without ".pth".
        ema: the averaged weights, where there are some.
        key: where the metric was named, for messages.

    Raises:
        UserError: another mode.
    """

    def __init__(
        self,
        eval_period: int,
        model: nn.Module,
        folder: str,
        val_metric: str,
        mode: str = "max",
        file_prefix: str = "model_best",
        *,
        ema: ModelEMA | None = None,
        key: str = "BEST.VAL_METRIC",
    ) -> None:
        super().__init__(eval_period)
        self._model = getattr(model, "module", model)
        self._ema = ema if val_metric.startswith("ema/") else None
        self.path = os.path.join(folder, f"{file_prefix}.pth")
        self.watched = Watched(
            val_metric, mode, os.path.join(folder, f"{file_prefix}.json"), key=key
        )

    def before_train(self) -> None:
        start = self.trainer.start_iter if os.path.isfile(self.path) else 0
        self.watched.begin(start, forget_later=False)

    def evaluated(self) -> None:
        """Save where the new value is the best one."""
        if not comm.is_main_process():
            return
        storage = self.trainer.storage
        before = self.watched.best()
        value = self.watched.look(storage.latest(), storage.iter)
        if value is None or (before and not self.watched.better(value, before[1])):
            return
        metric = self.watched.metric
        try:
            with self._ema.in_place() if self._ema else nullcontext():
                save_weights(self._model, self.path, iteration=storage.iter)
            self.watched.save(file=os.path.basename(self.path))
        except OSError as error:  # as on a full disk: the best so far stays, and its value
            logger.warning("%s could not be saved: %s. The best before it stays", self.path, error)
            self.watched.values[-1] = (storage.iter, None)
            return
        was = f", which was {before[1]:.4f} at iteration {before[0]}" if before else ""
        logger.info("Best %s: %.4f%s; saved to %s", metric, value, was, self.path)


def save_weights(model: nn.Module, path: str | Path, *, iteration: int) -> None:
    """Write weights as a checkpoint that MODEL.WEIGHTS takes, whole or not at all.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    with replacing(path) as draft:
        torch.save({"model": model.state_dict(), "iteration": iteration}, draft)
