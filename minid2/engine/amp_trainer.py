"""The usual training iteration in mixed precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from ..utils.events import get_event_storage
from .simple_trainer import SimpleTrainer
from .trainer_base import logger


class AMPTrainer(SimpleTrainer):
    """:class:`SimpleTrainer` whose forward pass runs in autocast, with scaled gradients.

    Args:
        model: all its parameters lie on one device, CUDA or CPU.
        data_loader: see :class:`SimpleTrainer`.
        optimizer: see :class:`SimpleTrainer`.
        gather_metric_period: see :class:`SimpleTrainer`.
        zero_grad_before_forward: see :class:`SimpleTrainer`.
        grad_scaler: a ``torch.amp.GradScaler``; by default one that scales on CUDA in float16
            and does nothing otherwise, since bfloat16 has the range of float32.
        precision: ``torch.float16`` or ``torch.bfloat16``; a CPU takes bfloat16 only.
        log_grad_scaler: store the scale as the metric ``[metric]grad_scaler``.
        async_write_metrics: see :class:`SimpleTrainer`.

    Raises:
        ValueError: float16 on a CPU, or a model that is spread over devices.
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
        devices = {parameter.device for parameter in model.parameters()}
        if len(devices) != 1:
            raise ValueError(f"AMPTrainer needs the model on a single device, found {devices}.")
        self._device_type = devices.pop().type
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
        if grad_scaler is None:
            grad_scaler = torch.amp.GradScaler(
                self._device_type, enabled=precision == torch.float16
            )
        self.grad_scaler = grad_scaler
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
        """The base's state and the scaler's."""
        return {**super().state_dict(), "grad_scaler": self.grad_scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned; a run without scaling can go on with one."""
        super().load_state_dict(state_dict)
        saved = state_dict.get("grad_scaler")
        if saved:
            self.grad_scaler.load_state_dict(saved)
        elif self.grad_scaler.is_enabled():
            logger.warning("The checkpoint has no gradient scale: it starts anew.")
