"""Evaluate now and then, and at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...utils import comm
from ..trainer_base import HookBase


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
        self._func: Callable[[], Mapping[str, Any] | None] | None = eval_function
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
        results = self._func()  # type: ignore[misc]
        if results:
            assert isinstance(results, Mapping), (
                f"Eval function must return a dict. Got {results} instead."
            )
            for name, value in list(_flatten(results)):  # all are numbers, or none is stored
                self.trainer.storage.put_scalar(name, value, smoothing_hint=False)
        # Evaluations differ in length; without this the next iteration's time would show it.
        comm.synchronize()


def _flatten(results: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in results.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flatten(value, prefix=f"{name}/")
            continue
        try:
            yield name, float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "[EvalHook] eval_function should return a nested dict of float. "
                f"Got '{name}: {value}' instead."
            ) from error
