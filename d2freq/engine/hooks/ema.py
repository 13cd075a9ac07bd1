"""An exponential moving average of the weights (EMA), evaluated and saved beside them."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from detectron2.engine import HookBase
from detectron2.evaluation.testing import flatten_results_dict
from detectron2.utils import comm
from torch import Tensor, nn

from d2freq.engine.hooks.evaluation import AfterEvaluation, non_negative
from d2freq.engine.step import step_of
from d2freq.errors import UserError

__all__ = ["EvaluateEMA", "ModelEMA"]

logger = logging.getLogger(__name__)


class ModelEMA(HookBase):
    """After each update: average = decay x average + (1 - decay) x weights.

    Parameters and floating-point buffers (the statistics of batch norms) are averaged, in their own
    precision; other buffers are copied. The average and the number of updates are part of a
    checkpoint. In several processes each has its own average, and they are alike as weights are.

    Args:
        model: wrapped or not.
        decay: from 0 to below 1.
        warmup: the decay of update n is at most (1 + n) / (warmup + n), so that the average
            forgets the start; 0 for the same decay from the first update on.

    Raises:
        UserError: a value out of its range.
    """

    def __init__(self, model: nn.Module, *, decay: float = 0.9998, warmup: int = 10) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"EMA.DECAY {decay}: a decay is from 0 to below 1")
        non_negative(warmup, "EMA.WARMUP")
        self._model = getattr(model, "module", model)
        self._decay, self._warmup = decay, warmup
        self.updates = 0
        self.average: dict[str, Tensor] = {}

    def before_train(self) -> None:
        """Start from the weights as they are now, unless a checkpoint had an average."""
        if not self.average:
            if self.trainer.start_iter > 0:
                logger.warning("EMA: the checkpoint has no average; it starts from the weights")
            self.average = {name: t.detach().clone() for name, t in self._tensors().items()}

    def after_step(self) -> None:
        if getattr(step_of(self.trainer), "skipped", False):  # no update, nothing to average
            return
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (max(self._warmup, 1) + self.updates))
        if not self._warmup:
            decay = self._decay
        current = {name: value.detach() for name, value in self._tensors().items()}
        floats = [name for name, value in current.items() if value.is_floating_point()]
        # x + w (y - x), which leaves what does not change as it is, to the bit
        torch._foreach_lerp_(
            [self.average[name] for name in floats], [current[n] for n in floats], 1 - decay
        )
        for name in current.keys() - set(floats):
            self.average[name].copy_(current[name])

    @contextmanager
    def in_place(self) -> Iterator[nn.Module]:
        """The model with the averaged weights; its own return when the block ends."""
        tensors = self._tensors()
        own = {name: value.detach().clone() for name, value in tensors.items()}
        try:
            self._put(tensors, self.average)
            yield self._model
        finally:
            self._put(tensors, own)

    def state_dict(self) -> dict[str, Any]:
        """The average by name, and the number of updates."""
        return {"updates": self.updates, "average": self.average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned.

        Raises:
            UserError: it is of another model.
        """
        tensors = self._tensors()
        saved = state["average"]
        if {n: t.shape for n, t in saved.items()} != {n: t.shape for n, t in tensors.items()}:
            raise UserError("EMA: the checkpoint's average is of another model than the config's")
        self.updates = state["updates"]
        self.average = {n: saved[n].to(t.device, copy=True) for n, t in tensors.items()}

    def _tensors(self) -> dict[str, Tensor]:
        model = self._model
        return {**dict(model.named_parameters()), **dict(model.named_buffers())}

    @staticmethod
    def _put(tensors: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(values[name])


class EvaluateEMA(AfterEvaluation):
    """Evaluate the averaged weights beside the model's own, and save them as ``model_ema.pth``.

    Metrics have "ema/" in front: "ema/bbox/AP"; files go to ``inference_ema``.

    Args:
        eval_period: iterations from one evaluation to the next.
        ema: the average.
        folder: where the file goes.
        evaluate: from a model to results, in every process.
        save: from a model, a path and an iteration to a file.
    """

    def __init__(
        self,
        eval_period: int,
        ema: ModelEMA,
        folder: str,
        *,
        evaluate: Callable[[nn.Module], Mapping[str, Any]],
        save: Callable[..., None],
    ) -> None:
        super().__init__(eval_period)
        self._ema, self._evaluate, self._save = ema, evaluate, save
        self.path = os.path.join(folder, "model_ema.pth")

    def evaluated(self) -> None:
        storage = self.trainer.storage
        with self._ema.in_place() as model:
            if comm.is_main_process():
                try:
                    self._save(model, self.path, iteration=storage.iter)
                except OSError as error:
                    logger.warning("%s could not be saved: %s", self.path, error)
            logger.info("The averaged weights (EMA) are evaluated")
            results = self._evaluate(model) or {}
        for name, value in flatten_results_dict({"ema": results}).items():
            storage.put_scalar(name, value, smoothing_hint=False)
        comm.synchronize()
