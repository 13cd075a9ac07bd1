"""A stop that loses nothing: SIGTERM, SIGINT (Ctrl-C) and SLURM's SIGUSR1.

At the first one the iteration under way is finished, a checkpoint saved, the writers flushed, and
the process ends with 128 + the signal's number: 143 for SIGTERM, 130 for SIGINT, 138 for SIGUSR1.
During an evaluation it ends at once, with a checkpoint of the iteration before. A second signal,
a second or more later, ends the process at once with what was saved before.

Several processes stop after the same iteration, whichever of them heard the signal.
"""

import logging
import os
import signal
import threading
import time
from typing import Any

import torch
import torch.distributed as dist
from detectron2.engine import HookBase
from detectron2.engine.hooks import EvalHook
from detectron2.utils import comm

logger = logging.getLogger(__name__)

__all__ = ["SIGNALS", "Evaluating", "Leave", "Stop", "Stopped", "leave_out"]

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1") if hasattr(signal, name)
)
SAME_SECONDS = 1.0  # a terminal and a launcher may both pass on one and the same signal


class Stopped(SystemExit):
    """The training was stopped by a signal, and everything is saved; ``code`` is the exit code."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class Stop:
    """Whether a signal has asked for the end; the handlers of one training.

    Attributes:
        number: of the signal, 0 for none; once :meth:`agree` was called alike in all processes.
        evaluating: whether there is no iteration under way that could be finished.
    """

    def __init__(self) -> None:
        self.number = 0
        self.evaluating = False
        self._heard = 0
        self._when = 0.0
        self._process = os.getpid()
        self._before: dict[int, Any] = {}
        self._group: Any = None

    def listen(self) -> None:
        """Take the signals from now on; in a thread that cannot have handlers nothing happens."""
        self._process = os.getpid()
        if dist.is_available() and dist.is_initialized() and comm.get_world_size() > 1:
            self._group = dist.new_group(backend="gloo")
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}

    @property
    def heard(self) -> bool:
        """Whether this process has heard a signal, which the others may not know of yet."""
        return bool(self._heard)

    def hand_back(self) -> None:
        """Leave the signals to whoever had them.

        After a stop one of several processes hears none any more: a launcher passes them on when
        the first of them has ended, and the others still close their files.
        """
        deaf = self.number and self._group is not None
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if deaf else handler)
        self._before = {}

    def agree(self) -> bool:
        """Whether to stop after this iteration; to be called in every process."""
        if self._group is not None:
            heard = torch.tensor([self._heard])
            dist.all_reduce(heard, op=dist.ReduceOp.MAX, group=self._group)
            self._heard = int(heard)
        self.number = self._heard
        return bool(self.number)

    def _hear(self, number: int, frame: Any) -> None:
        if os.getpid() != self._process:  # a loader's process, which its parent ends
            return
        now = time.monotonic()
        if self._heard:
            if now - self._when >= SAME_SECONDS:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        self._heard, self._when = number, now
        # Loaders that got the signal, too, end now, which torch would raise in mid-iteration.
        if hasattr(signal, "SIGCHLD"):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        name = signal.Signals(number).name
        if self.evaluating:
            logger.warning("%s: the evaluation is broken off", name)
            self.number = number
            raise Stopped(number)
        logger.warning(
            "%s: this iteration is finished, then a checkpoint is saved and training ends; a "
            "second signal ends it at once",
            name,
        )


def leave_out(evaluations: list[EvalHook]) -> None:
    """No evaluation after a training that ends here, though its last iteration may be done."""
    for hook in evaluations:
        hook._eval_after_train = False


class Evaluating(HookBase):
    """Stands before and behind the evaluation, and tells :class:`Stop` which it is."""

    def __init__(self, stop: Stop, *, begins: bool) -> None:
        self._stop, self._begins = stop, begins

    def after_step(self) -> None:
        self._stop.evaluating = self._begins

    def after_train(self) -> None:
        self._stop.evaluating = self._begins


class Leave(HookBase):
    """The last hook: ends the training that a signal has asked to end.

    Args:
        evaluations: hooks that evaluate after the training, which is left out then.
    """

    def __init__(self, stop: Stop, evaluations: list[EvalHook]) -> None:
        self._stop, self._evaluations = stop, evaluations

    def before_train(self) -> None:
        self._stop.listen()

    def after_step(self) -> None:
        if not self._stop.number:
            return
        # else the first process to end would have its launcher end the one that is still saving
        comm.synchronize()
        self._stop.hand_back()
        leave_out(self._evaluations)
        raise Stopped(self._stop.number)

    def after_train(self) -> None:
        self._stop.hand_back()
