"""What happens around the iterations of a training, each as a hook."""

import datetime
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from fvcore.common.checkpoint import PeriodicCheckpointer as _PeriodicCheckpointer
from fvcore.common.param_scheduler import ParamScheduler

from ..evaluation.testing import flatten_results_dict
from ..host import logger_of
from ..solver import LRMultiplier
from ..utils import comm
from ..utils.events import EventWriter
from .trainer_base import HookBase

logger = logger_of(__name__)

TorchScheduler = torch.optim.lr_scheduler.LRScheduler


class IterationTimer(HookBase):
    """Store each iteration's seconds as ``time`` and log a summary after training.

    It measures from its ``before_step`` to its ``after_step``, so it belongs first into the list
    of hooks: the others' ``after_step`` then counts as time on hooks.

    Args:
        warmup_iter: iterations to leave out at the start, which are slower than the rest.
    """

    def __init__(self, warmup_iter: int = 3) -> None:
        self._warmup_iter = warmup_iter
        self.before_train()

    def before_train(self) -> None:
        self._began = self._timed_from = self._step_began = time.perf_counter()
        self._in_steps, self._timed = 0.0, 0

    def before_step(self) -> None:
        self._step_began = time.perf_counter()

    def after_step(self) -> None:
        now = time.perf_counter()
        if self.trainer.iter - self.trainer.start_iter + 1 < self._warmup_iter:
            self._timed_from = now
            return
        self._in_steps += now - self._step_began
        self._timed += 1
        self.trainer.storage.put_scalars(time=now - self._step_began)

    def after_train(self) -> None:
        """Log the speed, and how much of the time the hooks took."""

        def clock(seconds: float) -> str:
            return str(datetime.timedelta(seconds=int(seconds)))

        now = time.perf_counter()
        if self._timed:
            logger.info(
                "Overall training speed: %d iterations in %s (%.4f s / it)",
                *(self._timed, clock(self._in_steps), self._in_steps / self._timed),
            )
        on_hooks = now - self._timed_from - self._in_steps
        logger.info(
            "Total training time: %s (%s on hooks)", clock(now - self._began), clock(on_hooks)
        )


class LRScheduler(HookBase):
    """Store the present rate as ``lr`` and step the schedule, after every iteration.

    Both are by default the trainer's. An fvcore :class:`ParamScheduler` is a factor on the
    optimizer's rates.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer | None = None,
        scheduler: TorchScheduler | ParamScheduler | None = None,
    ) -> None:
        self._optimizer: Any = optimizer
        self._scheduler = scheduler

    def before_train(self) -> None:
        """Find the optimizer and the schedule; choose the group whose rate is shown."""
        self._optimizer = self._optimizer or self.trainer.optimizer
        if isinstance(self.scheduler, ParamScheduler):
            self._scheduler = LRMultiplier(
                self._optimizer,
                self.scheduler,
                self.trainer.max_iter,
                last_iter=self.trainer.iter - 1,
            )
        self._shown_group = self.get_best_param_group_id(self._optimizer)

    @staticmethod
    def get_best_param_group_id(optimizer: torch.optim.Optimizer) -> int:
        """The group with most parameters, else (one each) the first with the commonest rate."""
        sizes = [len(group["params"]) for group in optimizer.param_groups]
        if max(sizes) > 1:
            return sizes.index(max(sizes))
        rates = [group["lr"] for group in optimizer.param_groups]
        return rates.index(Counter(rates).most_common(1)[0][0])

    def after_step(self) -> None:
        """Store the rate that the iteration had, and step."""
        lr = self._optimizer.param_groups[self._shown_group]["lr"]
        self.trainer.storage.put_scalar("lr", lr, smoothing_hint=False)
        self.scheduler.step()

    @property
    def scheduler(self) -> Any:
        """The schedule given, or else the trainer's."""
        return self._scheduler or self.trainer.scheduler

    def state_dict(self) -> dict[str, Any]:
        """The state of a torch schedule; a :class:`ParamScheduler` has none."""
        return self.scheduler.state_dict() if isinstance(self.scheduler, TorchScheduler) else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if isinstance(self.scheduler, TorchScheduler):
            self.scheduler.load_state_dict(state_dict)


class PeriodicCheckpointer(_PeriodicCheckpointer, HookBase):
    """fvcore's :class:`PeriodicCheckpointer` as a hook; it saves after the last iteration too."""

    def before_train(self) -> None:
        self.max_iter = self.trainer.max_iter

    def after_step(self) -> None:
        self.step(self.trainer.iter)


class EvalHook(HookBase):
    """Run an evaluation every ``eval_period`` iterations and after the last one.

    All processes need it or none does, since they wait for each other at its end; give those
    that have nothing to evaluate ``lambda: None``.

    Args:
        eval_period: in iterations; 0 for none before the end.
        eval_function: takes nothing; returns a nested dict of numbers, which are stored under
            names like "bbox/AP", or nothing.
        eval_after_train: whether to evaluate after the last iteration.
    """

    def __init__(
        self,
        eval_period: int,
        eval_function: Callable[[], Mapping[str, Any] | None],
        eval_after_train: bool = True,
    ) -> None:
        self._period = eval_period
        self._func: Any = eval_function
        self._eval_after_train = eval_after_train

    def after_step(self) -> None:
        """Evaluate if it is time; the last iteration is left to :meth:`after_train`."""
        done = self.trainer.iter + 1
        if self._period > 0 and done % self._period == 0 and done != self.trainer.max_iter:
            self._evaluate()

    def after_train(self) -> None:
        """Evaluate a training that came to its end; one that failed is left alone."""
        if self._eval_after_train and self.trainer.iter >= self.trainer.max_iter:
            self._evaluate()
        self._func = None  # it usually holds the trainer

    def _evaluate(self) -> None:
        for name, value in flatten_results_dict(self._func() or {}).items():
            self.trainer.storage.put_scalar(name, value, smoothing_hint=False)
        # Evaluations differ in length; without this the next iteration's time would show it.
        comm.synchronize()


class PeriodicWriter(HookBase):
    """Call ``write()`` of all writers every ``period`` iterations and after the last one.

    It belongs last into the list of hooks, so that it sees what the others stored.
    """

    def __init__(self, writers: Sequence[EventWriter], period: int = 20) -> None:
        self._writers = list(writers)
        self._period = period

    def after_step(self) -> None:
        """Write if it is time; what the last iteration stores waits for :meth:`after_train`."""
        done = self.trainer.iter + 1
        if done % self._period == 0 or done == self.trainer.max_iter:
            for writer in self._writers:
                writer.write()

    def after_train(self) -> None:
        """Write what was stored last, such as the final evaluation, and close the writers."""
        for writer in self._writers:
            writer.write()
            writer.close()
