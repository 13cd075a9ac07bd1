"""How long iterations take."""

from __future__ import annotations

import datetime
import logging
import time

from ..trainer_base import HookBase


class IterationTimer(HookBase):
    """Store each iteration's seconds as ``time`` and log a summary after training.

    It measures from its ``before_step`` to its ``after_step``, so it belongs first into the list
    of hooks: the others' ``after_step`` then counts as time on hooks.

    Args:
        warmup_iter: iterations to leave out at the start, which are slower than the rest.
    """

    def __init__(self, warmup_iter: int = 3) -> None:
        self._warmup_iter = warmup_iter
        self._began = self._timed_from = self._step_began = time.perf_counter()
        self._in_steps = 0.0

    def before_train(self) -> None:
        """Start the clock."""
        self._began = self._timed_from = time.perf_counter()
        self._in_steps = 0.0

    def before_step(self) -> None:
        """Note the start of an iteration."""
        self._step_began = time.perf_counter()

    def after_step(self) -> None:
        """Store the iteration's time, once the first ones are over."""
        now = time.perf_counter()
        done = self.trainer.iter - self.trainer.start_iter + 1
        if done < self._warmup_iter:
            self._timed_from, self._in_steps = now, 0.0
            return
        seconds = now - self._step_began
        self._in_steps += seconds
        self.trainer.storage.put_scalars(time=seconds)

    def after_train(self) -> None:
        """Log the speed, and how much of the time the hooks took."""
        log = logging.getLogger(__name__)
        now = time.perf_counter()
        timed = self.trainer.iter - self.trainer.start_iter - max(self._warmup_iter - 1, 0)
        if timed > 0:
            log.info(
                "Overall training speed: %d iterations in %s (%.4f s / it)",
                timed,
                _clock(self._in_steps),
                self._in_steps / timed,
            )
        on_hooks = now - self._timed_from - self._in_steps
        log.info(
            "Total training time: %s (%s on hooks)", _clock(now - self._began), _clock(on_hooks)
        )


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=int(seconds)))
