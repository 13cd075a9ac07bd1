"""Signs of life before the first line of the host's printer, which may come after many minutes."""

import datetime
import logging
import time

from detectron2.engine import HookBase

__all__ = ["FirstLines"]

logger = logging.getLogger(__name__)

SECONDS = 30.0  # without a line; twice as long after each line


class FirstLines(HookBase):
    """Log loss, seconds per iteration and time left after the first iteration, then seldom.

    The lines have the words of the host's own, and end where those begin.

    Args:
        period: iterations from one line of the host to the next.
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._silent = False
        self._wait = SECONDS

    def before_train(self) -> None:
        self._began = self._said = time.perf_counter()
        self._first = 0.0

    def after_step(self) -> None:
        trainer = self.trainer
        next_line = (trainer.iter // self._period + 1) * self._period - 1
        if self._silent or trainer.iter >= min(next_line, trainer.max_iter - 1):
            self._silent = True
            return
        now = time.perf_counter()
        done = trainer.iter - trainer.start_iter  # behind the first
        if done == 0:
            self._first = now
            each, note = now - self._began, "the first iteration takes longer than others; "
        elif now - self._said >= self._wait:
            each, note = (now - self._first) / done, ""
            self._wait *= 2
        else:
            return
        self._said = now
        left = datetime.timedelta(seconds=int(each * (trainer.max_iter - trainer.iter - 1)))
        loss = trainer.storage.latest().get("total_loss")
        logger.info(
            "eta: %s  iter: %d  %ss/iter: %.2f  (%sa line comes every %d iterations)",
            *(left, trainer.iter, f"total_loss: {loss[0]:.4g}  " if loss else "", each),
            *(note, self._period),
        )
