"""One model, one loader, one optimizer: the usual training iteration."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from .metrics import write_metrics
from .trainer_base import TrainerBase


class SimpleTrainer(TrainerBase):
    """Each iteration takes a batch, sums the model's losses, and steps the optimizer.

    Args:
        model: called with one batch, returns a dict of scalar losses or one loss tensor. It is
            put into training mode.
        data_loader: an iterable that does not run out while training.
        optimizer: owns the parameters to update.
        gather_metric_period: every that many iterations the losses of all processes are
            averaged, checked and stored.
        zero_grad_before_forward: zero the gradients before the forward pass instead of just
            before the backward pass, for models that use ``backward`` in their forward.
        async_write_metrics: store the metrics in a thread, so that the loop need not wait for
            the device; a loss that is not finite is then reported one iteration later.
    """

    def __init__(
        self,
        model: nn.Module,
        data_loader: Iterable,
        optimizer: Optimizer,
        gather_metric_period: int = 1,
        zero_grad_before_forward: bool = False,
        async_write_metrics: bool = False,
    ) -> None:
        super().__init__()
        model.train()
        self.model = model
        self.data_loader = data_loader
        self.optimizer = optimizer
        self.gather_metric_period = gather_metric_period
        self.zero_grad_before_forward = zero_grad_before_forward
        self.async_write_metrics = async_write_metrics
        self._batches: Iterator | None = None
        self._writer: concurrent.futures.ThreadPoolExecutor | None = None
        self._being_written: concurrent.futures.Future | None = None
        if async_write_metrics:
            self._writer = concurrent.futures.ThreadPoolExecutor(max_workers=1)

    def run_step(self) -> None:
        """Batch, forward, backward, metrics, update."""
        assert self.model.training, f"[{type(self).__name__}] the model was put into eval mode"
        began = time.perf_counter()
        batch = next(self._data_loader_iter)
        data_time = time.perf_counter() - began

        if self.zero_grad_before_forward:
            self.optimizer.zero_grad()
        total, by_name = self._losses(batch)
        if not self.zero_grad_before_forward:
            self.optimizer.zero_grad()
        self._backward(total)
        self.after_backward()
        # Before the update: a run whose loss is not finite stops with its weights intact.
        self._write_metrics(by_name, data_time)
        self._update()

    def _losses(self, batch: Any) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        output = self.model(batch)
        if isinstance(output, torch.Tensor):
            return output, {"total_loss": output}
        return sum(output.values()), output

    def _backward(self, total: torch.Tensor) -> None:
        total.backward()

    def _update(self) -> None:
        self.optimizer.step()

    @property
    def _data_loader_iter(self) -> Iterator:
        if self._batches is None:  # late, as it starts the loader's worker processes
            self._batches = iter(self.data_loader)
        return self._batches

    def reset_data_loader(self, data_loader_builder: Callable[[], Iterable]) -> None:
        """Replace the loader by ``data_loader_builder()``, after letting the old one go."""
        self._batches = None
        self.data_loader = ()
        self.data_loader = data_loader_builder()

    write_metrics = staticmethod(write_metrics)

    def _write_metrics(
        self,
        loss_dict: Mapping[str, torch.Tensor],
        data_time: float,
        prefix: str = "",
        iter: int | None = None,
    ) -> None:
        iteration = self.iter if iter is None else iter
        if (iteration + 1) % self.gather_metric_period:
            return
        detached = {name: loss.detach() for name, loss in loss_dict.items()}
        if self._writer is None:
            self.write_metrics(detached, data_time, iteration, prefix)
            return
        self._raise_writing_error()
        self._being_written = self._writer.submit(
            self.write_metrics, detached, data_time, iteration, prefix
        )

    def _raise_writing_error(self) -> None:
        """Wait for the metrics under way; raises in the loop what was raised in the thread."""
        pending, self._being_written = self._being_written, None
        if pending is not None:
            pending.result()

    def after_train(self) -> None:
        """Finish the writing of metrics, then call the hooks."""
        try:
            self._raise_writing_error()
        finally:
            super().after_train()

    def state_dict(self) -> dict[str, Any]:
        """The base's state and the optimizer's."""
        return {**super().state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        super().load_state_dict(state_dict)
        self.optimizer.load_state_dict(state_dict["optimizer"])
