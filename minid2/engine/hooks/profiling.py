"""Where the time and the memory of some iterations go."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

import torch

from ..trainer_base import HookBase, TrainerBase


class TorchProfiler(HookBase):
    """Trace chosen iterations with ``torch.profiler.profile``.

    For example ``TorchProfiler(lambda trainer: 10 < trainer.iter < 20, cfg.OUTPUT_DIR)``. The
    first iterations are slow and tell little. ``chrome://tracing`` opens the files.

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
        if self._profiler is None:
            return
        profiler, self._profiler = self._profiler, None
        profiler.__exit__(None, None, None)
        if not self._save_tensorboard:  # tensorboard's form was written by its handler
            os.makedirs(self._output_dir, exist_ok=True)
            trace = os.path.join(self._output_dir, f"profiler-trace-iter{self.trainer.iter}.json")
            profiler.export_chrome_trace(trace)
            logging.getLogger(__name__).info("Profile saved to %s", trace)

    def _make_profiler(self) -> Any:
        handler = None
        if self._save_tensorboard:
            handler = torch.profiler.tensorboard_trace_handler(
                os.path.join(self._output_dir, "log"), worker_name=f"iter{self.trainer.iter}"
            )
        return torch.profiler.profile(
            activities=self._activities,
            record_shapes=True,
            profile_memory=True,
            with_stack=True,
            on_trace_ready=handler,
        )


class AutogradProfiler(TorchProfiler):
    """As :class:`TorchProfiler`, with the lighter ``torch.autograd.profiler.profile``.

    Args:
        enable_predicate: see :class:`TorchProfiler`.
        output_dir: see :class:`TorchProfiler`.
        use_cuda: measure the kernels of CUDA too, where there is one.
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


class TorchMemoryStats(HookBase):
    """Log the memory that CUDA holds, every ``period`` iterations, ``max_runs`` times at most."""

    def __init__(self, period: int = 20, max_runs: int = 10) -> None:
        self._period = period
        self._runs_left = max_runs

    def after_step(self) -> None:
        """Log if it is time and there is a GPU."""
        done = self.trainer.iter + 1
        if self._runs_left <= 0 or not torch.cuda.is_available():
            return
        if done % self._period and done != self.trainer.max_iter:
            return
        self._runs_left -= 1
        mebibytes = {
            "reserved": torch.cuda.memory_reserved(),
            "most reserved": torch.cuda.max_memory_reserved(),
            "allocated": torch.cuda.memory_allocated(),
            "most allocated": torch.cuda.max_memory_allocated(),
        }
        logging.getLogger(__name__).info(
            "iter: %d  CUDA memory in MiB: %s",
            self.trainer.iter,
            ", ".join(f"{name} {size / 2**20:.0f}" for name, size in mebibytes.items()),
        )
        torch.cuda.reset_peak_memory_stats()
