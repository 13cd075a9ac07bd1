"""One iteration of training, in parts that d2freq's guards and switches have a hold on.

Detectron2's SimpleTrainer and AMPTrainer do an iteration in one function. Here it is the same
computation in the same order, bit for bit where nothing is switched on::

    for each of ``accumulate`` batches:  take the batch, losses, backward
    hooks' after_backward                of the outer trainer, too
    guards                               see the gradients and may refuse the update
    metrics                              losses, averaged over processes
    update                               unless a guard has refused it

Both kinds of training run on it: :class:`d2freq.engine.train_yaml.Trainer` has it as its inner
loop ``_trainer``, a lazy config's training is one.
"""

import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from detectron2.engine import AMPTrainer, SimpleTrainer
from torch import Tensor, nn
from torch.optim import Optimizer

from d2freq.errors import UserError

__all__ = ["Guard", "MixedStep", "Step", "make_step", "step_of"]

# (step, batches of this iteration, their losses) -> whether the weights may be updated. Called in
# every process; the gradients are those of all processes already. A guard that refuses says why.
Guard = Callable[["Step", list[Any], Mapping[str, Tensor]], bool]


class Step(SimpleTrainer):
    """SimpleTrainer in parts.

    Attributes beside those of SimpleTrainer:
        accumulate: batches an update; their mean gradient is taken.
        guards: called in order before each update; all of them are asked.
        checks: called with each batch before the model is; they raise where it is faulty.
        outer: the trainer whose hooks hear of ``after_backward``; None where this is the trainer.
        skipped: whether the last iteration's update was refused.
    """

    accumulate: int = 1
    skipped: bool = False

    def __init__(self, model: nn.Module, data_loader: Any, optimizer: Optimizer, **kwargs: Any):
        """See SimpleTrainer and AMPTrainer, which take the keyword arguments."""
        super().__init__(model, data_loader, optimizer, **kwargs)
        self.guards: list[Guard] = []
        self.checks: list[Callable[[Step, Any], None]] = []
        self.outer: Any = None
        self._unscaled = False

    def run_step(self) -> None:
        """Batches, forward, backward, guards, metrics, update."""
        assert self.model.training, f"[{type(self).__name__}] the model was put into eval mode"
        batches, waited = [], 0.0
        sums: dict[str, Tensor] = {}
        self._unscaled = False
        if self.zero_grad_before_forward:
            self.optimizer.zero_grad()
        for part in range(self.accumulate):
            began = time.perf_counter()
            batch = next(self._data_loader_iter)
            waited += time.perf_counter() - began
            batches.append(batch)
            for check in self.checks:
                check(self, batch)
            with self._synchronised(last=part + 1 == self.accumulate):
                losses = self.losses(batch)
                if part == 0 and not self.zero_grad_before_forward:
                    self.optimizer.zero_grad()
                total: Any = sum(losses.values())
                self.backward(total if self.accumulate == 1 else total / self.accumulate)
            _add(sums, losses, share=self.accumulate)
        self.after_backward()
        verdicts = [guard(self, batches, sums) for guard in self.guards]
        self.skipped = not all(verdicts)
        # of an update that is left out the losses may be NaN, which Detectron2 ends a training for
        if (self.iter + 1) % self.gather_metric_period == 0 and not self.skipped:
            self.write_metrics(sums, waited, self.iter)
        if not self.skipped:
            self.update()

    def losses(self, batch: Any) -> Mapping[str, Tensor]:
        """The model's losses by name; a model that gives one tensor has a "total_loss"."""
        output = self.model(batch)
        return {"total_loss": output} if isinstance(output, Tensor) else output

    def backward(self, total: Tensor) -> None:
        """Add the gradients of a loss to those that are there."""
        total.backward()

    def unscale(self) -> None:
        """Make the gradients what they are without a scaler; to be called before reading them."""

    def update(self) -> None:
        """Step the optimizer."""
        self.optimizer.step()

    def after_backward(self) -> None:
        super().after_backward()
        if self.outer is not None:
            self.outer.after_backward()

    def _synchronised(self, *, last: bool) -> AbstractContextManager:
        """Processes exchange gradients with the last batch of an update alone."""
        return nullcontext() if last else getattr(self.model, "no_sync", nullcontext)()


class MixedStep(Step, AMPTrainer):
    """:class:`Step` in autocast: float16 with scaled gradients on a GPU, bfloat16 on a CPU."""

    def __init__(self, model: nn.Module, data_loader: Any, optimizer: Optimizer, **kwargs: Any):
        """See AMPTrainer; precision and scaler are chosen by the model's device."""
        self.device_type = next(model.parameters()).device.type
        kwargs.setdefault(
            "precision", torch.bfloat16 if self.device_type == "cpu" else torch.float16
        )
        if kwargs.get("grad_scaler") is None:
            kwargs["grad_scaler"] = torch.amp.GradScaler(
                self.device_type, enabled=kwargs["precision"] == torch.float16
            )
        super().__init__(model, data_loader, optimizer, **kwargs)

    def losses(self, batch: Any) -> Mapping[str, Tensor]:
        with torch.autocast(device_type=self.device_type, dtype=self.precision):
            return super().losses(batch)

    def backward(self, total: Tensor) -> None:
        self.grad_scaler.scale(total).backward()

    def unscale(self) -> None:
        if not self._unscaled:
            self.grad_scaler.unscale_(self.optimizer)
            self._unscaled = True

    def update(self) -> None:
        self.grad_scaler.step(self.optimizer)
        self.grad_scaler.update()


def make_step(
    model: nn.Module, data_loader: Any, optimizer: Optimizer, *, amp: bool, accumulate: int = 1
) -> Step:
    """The loop that a training runs, in mixed precision with ``amp``.

    Raises:
        UserError: ``accumulate`` is below 1.
    """
    if accumulate < 1:
        raise UserError(f"ACCUMULATE {accumulate}: an update takes at least 1 batch")
    step = (MixedStep if amp else Step)(model, data_loader, optimizer)
    step.accumulate = accumulate
    return step


def take_over(inner: SimpleTrainer, outer: Any, *, accumulate: int = 1) -> Step:
    """A :class:`Step` with model, loader and optimizer of DefaultTrainer's inner loop.

    Args:
        inner: what DefaultTrainer has made; a Step, or one of another kind of a user's own
            making, stays as it is.
        outer: the trainer that holds it.
        accumulate: see :class:`Step`.
    """
    if type(inner) not in (SimpleTrainer, AMPTrainer):
        return inner  # type: ignore[return-value]
    amp = isinstance(inner, AMPTrainer)
    step = make_step(
        inner.model, inner.data_loader, inner.optimizer, amp=amp, accumulate=accumulate
    )
    step.outer = weakref.proxy(outer)
    return step


def step_of(trainer: Any) -> Step:
    """The loop of a trainer of either kind: what a hook reaches by ``step_of(self.trainer)``."""
    return getattr(trainer, "_trainer", trainer)


def _add(sums: dict[str, Tensor], losses: Mapping[str, Tensor], *, share: int) -> None:
    """Add the losses of one of ``share`` batches, so that the sum is their mean."""
    for name, value in losses.items():
        if share == 1:
            sums[name] = value
        else:
            part = value.detach() / share
            sums[name] = sums[name] + part if name in sums else part
