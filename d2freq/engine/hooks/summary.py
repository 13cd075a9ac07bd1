"""What a training has come to, told once at its end."""

import datetime
import logging
import math
import os
import time

from detectron2.engine import HookBase
from detectron2.utils import comm

from d2freq.engine.hooks.best import BestCheckpointer

__all__ = ["Summary"]

logger = logging.getLogger(__name__)

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
        latest = trainer.storage.latest()
        shown = [n for n in latest if n.endswith(MAIN)] or [n for n in latest if "/" in n][:5]
        if "total_loss" in latest:
            shown.insert(0, "total_loss")
        lines = [
            f"{done} of {planned} iterations, from {trainer.start_iter}, in {took}",
            f"last: {', '.join(f'{name} {_number(latest[name][0])}' for name in shown) or 'none'}",
        ]
        best = self._best and self._best.watched.best()
        if self._best and best:
            watched = self._best.watched
            where = f"iteration {best[0]}, {self._best.path}"
            lines.append(f"best: {watched.metric} {_number(best[1])} at {where}")
        lines.append(f"files: {os.path.abspath(self._folder)}")
        title = "Training has come to its end" if whole else "Training has ended before its end"
        logger.info("%s\n  %s", title, "\n  ".join(lines))


def _number(value: float) -> str:
    return "nan" if math.isnan(value) else f"{value:.4g}"
