"""The loop that runs a model over a data set, and what an evaluator is to it."""

import contextlib
import datetime
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ..utils.comm import get_world_size, is_main_process

__all__ = ["DatasetEvaluator", "DatasetEvaluators", "inference_context", "inference_on_dataset"]

WARM_UP = 5  # batches that are not timed, since caches and kernels settle in them
SECONDS_BETWEEN_LOGS = 5


class DatasetEvaluator:
    """Sees every input with its output, then gives the result. Subclasses fill in the three."""

    def reset(self) -> None:
        """Forget what was processed; called before each round."""

    def process(self, inputs: Any, outputs: Any) -> None:
        """Take note of a batch.

        Args:
            inputs: what the model was called with, usually ``list[dict]``.
            outputs: what the model returned, of the same length.
        """

    def evaluate(self) -> Any:
        """The result: metrics by task such as ``{"bbox": {"AP50": 38.8}}``.

        May be empty or None on all processes but the main one.
        """


class DatasetEvaluators(DatasetEvaluator):
    """Several evaluators as one; their results are joined."""

    def __init__(self, evaluators: list[DatasetEvaluator]) -> None:
        """Hold ``evaluators``, to be called in this order."""
        self._evaluators = evaluators

    def reset(self) -> None:
        for evaluator in self._evaluators:
            evaluator.reset()

    def process(self, inputs: Any, outputs: Any) -> None:
        for evaluator in self._evaluators:
            evaluator.process(inputs, outputs)

    def evaluate(self) -> OrderedDict:
        """The joined results; empty on all processes but the main one."""
        joined: OrderedDict[str, Any] = OrderedDict()
        for evaluator in self._evaluators:
            result = evaluator.evaluate()
            if result is None or not is_main_process():
                continue
            for key, value in result.items():
                assert key not in joined, (
                    f"two evaluators give a result named {key!r}; rename one of them"
                )
                joined[key] = value
        return joined


@contextlib.contextmanager
def inference_context(model: nn.Module) -> Iterator[None]:
    """Set ``model`` to eval mode, and back to its mode afterwards."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def inference_on_dataset(
    model: Callable,
    data_loader: Any,
    evaluator: DatasetEvaluator | list[DatasetEvaluator] | None,
    callbacks: Mapping[str, Callable] | None = None,
) -> Any:
    """Run ``model`` over ``data_loader``, log speed and time left, and evaluate.

    Args:
        model: takes a batch of the loader; a module is in eval mode meanwhile.
        data_loader: an iterable of batches with a length.
        evaluator: one, several, or None to measure the speed only.
        callbacks: functions without arguments, called at ``on_start``, ``before_inference`` and
            ``after_inference`` of each batch, and ``on_end``.

    Returns:
        The evaluator's result; an empty dict where it has none.
    """
    logger = logging.getLogger(__name__)
    if not isinstance(evaluator, DatasetEvaluator):
        evaluator = DatasetEvaluators(list(evaluator or []))

    def notify(event: str) -> None:
        if callbacks and event in callbacks:
            callbacks[event]()

    total = len(data_loader)
    logger.info("Start inference on %d batches", total)
    evaluator.reset()
    watch = _Stopwatch(total, logger)

    with contextlib.ExitStack() as stack:
        if isinstance(model, nn.Module):
            stack.enter_context(inference_context(model))
        stack.enter_context(torch.no_grad())
        notify("on_start")
        watch.start()
        for inputs in data_loader:
            watch.lap("Dataloading")
            notify("before_inference")
            outputs = model(inputs)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            notify("after_inference")
            watch.lap("Inference")
            evaluator.process(inputs, outputs)
            watch.lap("Eval")
            watch.batch_done()
        notify("on_end")
    watch.summarize()

    result = evaluator.evaluate()
    return {} if result is None else result


class _Stopwatch:
    """Adds up the seconds of each stage after the warm-up, and reports them now and then."""

    def __init__(self, total: int, logger: logging.Logger) -> None:
        self._total = total
        self._logger = logger
        self._warm_up = min(WARM_UP, max(total - 1, 0))

    def start(self) -> None:
        self._done = 0
        self._begin()

    def _begin(self) -> None:
        self._counted = 0
        self._stages = {"Dataloading": 0.0, "Inference": 0.0, "Eval": 0.0}
        self._started = self._last_lap = self._last_log = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._stages[stage] += now - self._last_lap
        self._last_lap = now

    def batch_done(self) -> None:
        self._done += 1
        self._counted += 1
        if self._done == self._warm_up:
            self._begin()
        elif self._last_lap - self._last_log >= SECONDS_BETWEEN_LOGS:
            self._last_log = self._last_lap
            a_batch = (self._last_lap - self._started) / self._counted
            stages = " ".join(
                f"{stage}: {seconds / self._counted:.4f} s/iter."
                for stage, seconds in self._stages.items()
            )
            left = datetime.timedelta(seconds=int(a_batch * (self._total - self._done)))
            self._logger.info(
                "Inference done %d/%d. %s Total: %.4f s/iter. ETA=%s",
                *(self._done, self._total, stages, a_batch, left),
            )

    def summarize(self) -> None:
        whole = time.perf_counter() - self._started
        batches = max(self._counted, 1)
        for name, seconds in (("", whole), (" pure compute", self._stages["Inference"])):
            self._logger.info(
                "Total inference%s time: %s (%.6f s / iter per device, on %d devices)",
                *(name, datetime.timedelta(seconds=int(seconds))),
                *(seconds / batches, get_world_size()),
            )
