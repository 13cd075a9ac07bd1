"""The usual training iteration, in full and in mixed precision."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from ..host import refuse
from ..utils import comm
from ..utils.events import get_event_storage
from .trainer_base import HookBase, TrainerBase, logger

__all__ = ["AMPTrainer", "HookBase", "SimpleTrainer", "TrainerBase"]


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
        async_write_metrics: must be False; the real Detectron2 can store metrics in a thread.
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
        refuse("async_write_metrics", async_write_metrics)
        model.train()
        self.model = model
        self.data_loader = data_loader
        self.optimizer = optimizer
        self.gather_metric_period = gather_metric_period
        self.zero_grad_before_forward = zero_grad_before_forward
        self._batches: Iterator | None = None

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
        if (self.iter + 1) % self.gather_metric_period == 0:
            self.write_metrics(by_name, data_time, self.iter)
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

    @staticmethod
    def write_metrics(
        loss_dict: Mapping[str, torch.Tensor], data_time: float, cur_iter: int, prefix: str = ""
    ) -> None:
        """Store the means over all processes: ``total_loss``, each loss, the loading times.

        Every process has to call it; the main one stores.

        Args:
            loss_dict: scalar losses by name.
            data_time: seconds this process waited for its batch.
            cur_iter: the iteration that they belong to.
            prefix: put before the name ``total_loss``.

        Raises:
            FloatingPointError: on the main process, if the sum of losses is infinite or NaN.
        """
        values = torch.stack([loss.detach().reshape(()) for loss in loss_dict.values()])
        gathered = comm.gather((values.tolist(), data_time))  # one wait for the device
        if not comm.is_main_process():
            return
        all_values, data_times = zip(*gathered, strict=True)
        storage = get_event_storage()
        storage.put_scalar("rank_data_time", data_time, cur_iter=cur_iter)
        # The slowest loader decides how long all of them wait.
        storage.put_scalar("data_time", max(data_times), cur_iter=cur_iter)

        means = dict(zip(loss_dict, np.mean(all_values, axis=0).tolist(), strict=True))
        total = sum(means.values())
        if not np.isfinite(total):
            raise FloatingPointError(
                f"Loss became infinite or NaN at iteration={cur_iter}!\nloss_dict = {means}"
            )
        storage.put_scalar(f"{prefix}total_loss", total, cur_iter=cur_iter)
        if len(means) > 1:  # a single loss is the total
            storage.put_scalars(cur_iter=cur_iter, **means)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.optimizer.load_state_dict(state_dict["optimizer"])


class AMPTrainer(SimpleTrainer):
    """:class:`SimpleTrainer` whose forward pass runs in autocast, with scaled gradients.

    Args beside those of :class:`SimpleTrainer`:
        grad_scaler: a ``torch.amp.GradScaler``; by default one that scales in float16
            and does nothing otherwise, since bfloat16 has the range of float32.
        precision: ``torch.float16`` or ``torch.bfloat16``; a CPU takes bfloat16 only.
        log_grad_scaler: store the scale as the metric ``[metric]grad_scaler``.

    Raises:
        ValueError: float16 on a CPU.
    """

    def __init__(
        self,
        model: nn.Module,
        data_loader: Iterable,
        optimizer: Optimizer,
        gather_metric_period: int = 1,
        zero_grad_before_forward: bool = False,
        grad_scaler: torch.amp.GradScaler | None = None,
        precision: torch.dtype = torch.float16,
        log_grad_scaler: bool = False,
        async_write_metrics: bool = False,
    ) -> None:
        self._device_type = next(model.parameters()).device.type
        if self._device_type == "cpu" and precision != torch.bfloat16:
            raise ValueError(
                f"AMPTrainer cannot train in {precision} on a CPU: use precision=torch.bfloat16."
            )
        super().__init__(
            model,
            data_loader,
            optimizer,
            gather_metric_period=gather_metric_period,
            zero_grad_before_forward=zero_grad_before_forward,
            async_write_metrics=async_write_metrics,
        )
        self.grad_scaler = grad_scaler or torch.amp.GradScaler(
            self._device_type, enabled=precision == torch.float16
        )
        self.precision = precision
        self.log_grad_scaler = log_grad_scaler

    def _losses(self, batch: Any) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        with torch.autocast(device_type=self._device_type, dtype=self.precision):
            return super()._losses(batch)

    def _backward(self, total: torch.Tensor) -> None:
        self.grad_scaler.scale(total).backward()
        if self.log_grad_scaler:
            get_event_storage().put_scalar("[metric]grad_scaler", self.grad_scaler.get_scale())

    def _update(self) -> None:
        self.grad_scaler.step(self.optimizer)
        self.grad_scaler.update()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "grad_scaler": self.grad_scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned; a run without scaling can go on with one."""
        super().load_state_dict(state_dict)
        saved = state_dict.get("grad_scaler")
        if saved:
            self.grad_scaler.load_state_dict(saved)
        elif self.grad_scaler.is_enabled():
            logger.warning("The checkpoint has no gradient scale: it starts anew.")
