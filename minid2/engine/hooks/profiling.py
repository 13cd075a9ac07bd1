"""Where the time of some iterations goes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import torch

from ..trainer_base import HookBase, TrainerBase


class TorchProfiler(HookBase):
    """Trace chosen iterations with ``torch.profiler.profile``, for ``chrome://tracing``.

    For example ``TorchProfiler(lambda trainer: 10 < trainer.iter < 20, cfg.OUTPUT_DIR)``; the
    first iterations are slow and tell little.

    Args:
        enable_predicate: maps the trainer to whether to trace the coming iteration.
        output_dir: folder for ``profiler-trace-iter<N>.json``.
        activities: see ``torch.profiler.profile``; by default all there are.
        save_tensorboard: write tensorboard's form, under ``output_dir/log``, instead.
    """

    def __init__(
        self,
        enable_predicate: Callable[[TrainerBase], bool],
        output_dir: str,
        *,
        activities: Iterable[Any] | None = None,
        save_tensorboard: bool = True,
    ) -> None:
        self._enable_predicate = enable_predicate
        self._output_dir = output_dir
        self._activities = activities
        self._save_tensorboard = save_tensorboard
        self._profiler: Any = None

    def before_step(self) -> None:
        """Start tracing, if this iteration is chosen."""
        if self._enable_predicate(self.trainer):
            self._profiler = self._make_profiler()
            self._profiler.__enter__()

    def after_step(self) -> None:
        """Stop tracing and save."""
        profiler, self._profiler = self._profiler, None
        if profiler is None:
            return
        profiler.__exit__(None, None, None)
        name = f"iter{self.trainer.iter}"
        if self._save_tensorboard:
            folder = os.path.join(self._output_dir, "log")
            torch.profiler.tensorboard_trace_handler(folder, worker_name=name)(profiler)
        else:
            os.makedirs(self._output_dir, exist_ok=True)
            profiler.export_chrome_trace(
                os.path.join(self._output_dir, f"profiler-trace-{name}.json")
            )

    def _make_profiler(self) -> Any:
        return torch.profiler.profile(
            activities=self._activities, record_shapes=True, profile_memory=True
        )


class AutogradProfiler(TorchProfiler):
    """As :class:`TorchProfiler`, with the lighter ``torch.autograd.profiler.profile``.

    ``use_cuda`` measures the kernels of CUDA too, where there is one.
    """

    def __init__(
        self,
        enable_predicate: Callable[[TrainerBase], bool],
        output_dir: str,
        *,
        use_cuda: bool = True,
    ) -> None:
        super().__init__(enable_predicate, output_dir, save_tensorboard=False)
        self._device = "cuda" if use_cuda and torch.cuda.is_available() else None

    def _make_profiler(self) -> Any:
        return torch.autograd.profiler.profile(use_device=self._device)
