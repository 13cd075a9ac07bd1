"""What a training has come to, told once at its end."""

import datetime
import logging
import math
import os
import time
from typing import Any

from detectron2.engine import HookBase
from detectron2.utils import comm

from d2freq.engine.hooks.best import BestCheckpointer

__all__ = ["Summary"]

logger = logging.getLogger(__name__)

WINDOW = 20  # steps that the host's own lines and metrics.json take the median of
FINDS_NOTHING = 1.0  # percent of AP50
NOTHING = (
    "AP50 is %.2g %%: this detector finds next to nothing. Check that the boxes lie on the objects "
    "(d2freq validate), that total_loss has fallen (d2freq visualize losses), and that the "
    "training was long enough (SOLVER.MAX_ITER, train.max_iter), or begins at weights of ImageNet"
)
MAIN = ("/AP", "/AP50", "/CSO-mAP", "/top1", "/IoU")  # of the last evaluation, where it has them


class Summary(HookBase):
    """Log iterations, time, the last metrics, the best one, and where the files are.

    Args:
        folder: of the run.
        best: what has saved the best weights, where something has.
    """

    def __init__(self, folder: str, best: BestCheckpointer | None = None) -> None:
        self._folder, self._best = folder, best
        # where another hook ends the training before it begins
        self._began, self._done = time.monotonic(), 0

    def before_train(self) -> None:
        self._began = time.monotonic()
        self._done = self.trainer.start_iter

    def after_step(self) -> None:
        self._done = self.trainer.iter + 1

    def after_train(self) -> None:
        if not comm.is_main_process():
            return
        trainer = self.trainer
        done, planned = min(self._done, trainer.max_iter), trainer.max_iter
        whole = done >= planned
        took = datetime.timedelta(seconds=int(time.monotonic() - self._began))
        latest = {name: value for name, (value, _) in trainer.storage.latest().items()}
        shown = [n for n in latest if n.endswith(MAIN)] or [n for n in latest if "/" in n][:5]
        last = [f"{name} {_number(latest[name])}" for name in shown]
        if "total_loss" in latest:
            last.insert(0, f"total_loss {_number(_loss(trainer.storage))}")
        lines = [
            f"{done} of {planned} iterations, from {trainer.start_iter}, in {took}",
            f"last: {', '.join(last) or 'none'}",
        ]
        best = self._best and self._best.watched.best()
        if self._best and best:
            watched = self._best.watched
            where = f"iteration {best[0]}, {self._best.path}"
            lines.append(f"best: {watched.metric} {_number(best[1])} at {where}")
        lines.append(f"files: {os.path.abspath(self._folder)}")
        title = "Training has come to its end" if whole else "Training has ended before its end"
        logger.info("%s\n  %s", title, "\n  ".join(lines))
        found = max((latest[name] for name in latest if name.endswith("/AP50")), default=math.nan)
        if whole and found < FINDS_NOTHING:
            logger.warning(NOTHING, found)


def _loss(storage: Any) -> float:
    """The loss as the lines before have it: the median of the last steps, not the last one."""
    return storage.history("total_loss").median(storage.count_samples("total_loss", WINDOW))


def _number(value: float) -> str:
    return "nan" if math.isnan(value) else f"{value:.4g}"
