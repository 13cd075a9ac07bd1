"""The loop that runs a model over a data set, and what an evaluator is to it."""

import contextlib
import datetime
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ..host import logger_of
from ..utils.comm import get_world_size, is_main_process

WARM_UP = 5  # batches that are not timed, since caches and kernels settle in them
SECONDS_BETWEEN_LOGS = 5


class DatasetEvaluator:
    """Sees every input with its output, then gives the result. Subclasses fill in the three."""

    def reset(self) -> None:
        """Forget what was processed; called before each round."""

    def process(self, inputs: Any, outputs: Any) -> None:
        """Take note of a batch: what the model was called with, and what it returned."""

    def evaluate(self) -> Any:
        """Metrics by task, ``{"bbox": {"AP50": 38.8}}``; empty or None but on the main process."""


class DatasetEvaluators(DatasetEvaluator):
    """Several evaluators as one; their results are joined."""

    def __init__(self, evaluators: list[DatasetEvaluator]) -> None:
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
                assert key not in joined, f"two evaluators give a result named {key!r}"
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
        data_loader, evaluator: batches with a length; one, several, None: only the speed.
        callbacks: functions without arguments, called at ``on_start``, ``before_inference`` and
            ``after_inference`` of each batch, and ``on_end``.

    Returns the evaluator's result; an empty dict where it has none.
    """
    logger = logger_of(__name__)
    if not isinstance(evaluator, DatasetEvaluator):
        evaluator = DatasetEvaluators(list(evaluator or []))

    def notify(event: str) -> None:
        if callbacks and event in callbacks:
            callbacks[event]()

    total = len(data_loader)
    logger.info("Start inference on %d batches", total)
    evaluator.reset()
    with contextlib.ExitStack() as stack:
        if isinstance(model, nn.Module):
            stack.enter_context(inference_context(model))
        stack.enter_context(torch.no_grad())
        notify("on_start")
        watch = _Stopwatch()
        last_log = watch.now
        for done, inputs in enumerate(data_loader, start=1):
            watch.lap("Dataloading")
            notify("before_inference")
            outputs = model(inputs)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            notify("after_inference")
            watch.lap("Inference")
            evaluator.process(inputs, outputs)
            watch.lap("Eval")
            watch.batches += 1
            if done == min(WARM_UP, total - 1):
                watch.restart()
            elif watch.now - last_log >= SECONDS_BETWEEN_LOGS:
                last_log = watch.now
                eta = datetime.timedelta(seconds=int(watch.seconds_a_batch() * (total - done)))
                logger.info("Inference done %d/%d. %s ETA=%s", done, total, watch, eta)
        notify("on_end")
    logger.info("Inference on %d devices took: %s", get_world_size(), watch)

    result = evaluator.evaluate()
    return {} if result is None else result


class _Stopwatch:
    """Adds up the seconds of each stage since the last restart."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.batches = 0
        self.stages = {"Dataloading": 0.0, "Inference": 0.0, "Eval": 0.0}
        self.now = time.perf_counter()

    def lap(self, stage: str) -> None:
        before, self.now = self.now, time.perf_counter()
        self.stages[stage] += self.now - before

    def seconds_a_batch(self) -> float:
        return sum(self.stages.values()) / max(self.batches, 1)

    def __str__(self) -> str:
        stages = (f"{n}: {s / max(self.batches, 1):.4f} s/iter." for n, s in self.stages.items())
        return f"{' '.join(stages)} Total: {self.seconds_a_batch():.4f} s/iter."
