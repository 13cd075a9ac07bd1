"""Checkpoints: every so many iterations, at the end, and when a signal stops the training.

A save that fails, as on a full disk, does not end the training: the checkpoint before stays, a
warning says so, and it is tried again soon.
"""

import logging
import os
import shutil
from collections.abc import Callable
from typing import Any

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.engine import HookBase
from detectron2.engine.hooks import EvalHook
from torch import nn
from torch.optim import Optimizer

from d2freq.engine.hooks.stopping import Stop, leave_out
from d2freq.engine.weights.folder import periodic
from d2freq.errors import UserError

logger = logging.getLogger(__name__)

__all__ = ["Saving", "check_space"]

AGAIN = 20  # iterations after a failed save until the next attempt


class Saving(HookBase):
    """Save ``model_0000099.pth`` every ``period`` iterations and ``model_final.pth`` at the end.

    It stands in every process, so that they decide alike; the main one writes.

    Args:
        checkpointer: see d2freq.engine.weights.safe.
        period: iterations from one to the next; below 1 for none before the end.
        keep: how many periodic checkpoints stay, 0 for all of them.
        stop: asks for a checkpoint, when a signal came.
        evaluations: hooks that evaluate after training; without a final checkpoint they do not.
    """

    def __init__(
        self,
        checkpointer: DetectionCheckpointer,
        *,
        period: int,
        keep: int,
        stop: Stop,
        evaluations: list[EvalHook],
    ) -> None:
        self._checkpointer, self._period, self._keep = checkpointer, period, keep
        self._stop, self._evaluations = stop, evaluations
        self._saved = self._finished = -1  # iterations: of the last checkpoint, and trained
        self._again: int | None = None
        # called in every process before each save: for states that are gathered from all of them
        self.before_save: list[Callable[[], None]] = []

    def before_train(self) -> None:
        self._saved = self._finished = self.trainer.start_iter - 1

    def after_step(self) -> None:
        done, self._finished = self.trainer.iter + 1, self.trainer.iter
        stops = self._stop.agree()
        due = stops or done == self._again or (self._period > 0 and done % self._period == 0)
        if due or done >= self.trainer.max_iter:
            self._save(final=done >= self.trainer.max_iter)

    def after_train(self) -> None:
        """Save what a signal found unsaved: during an evaluation, or when a loader died of it."""
        if self._stop.heard and self._finished > self._saved:
            self.trainer.iter = self._finished
            self._save(final=False)

    def save_final(self) -> None:
        """Save ``model_final.pth`` where training ends before its time; in every process.

        Raises:
            UserError: it cannot be written.
        """
        self._save(final=True)

    def _save(self, *, final: bool) -> None:
        for call in self.before_save:
            call()
        iteration, self._again = self.trainer.iter, None
        try:
            if not final or (self._period > 0 and (iteration + 1) % self._period == 0):
                self._write(f"model_{iteration:07d}", iteration)
            if final:
                self._write("model_final", iteration)
        except OSError as error:
            last = f"that of iteration {self._saved}" if self._saved >= 0 else "none"
            if final or self._stop.heard:
                leave_out(self._evaluations)
                goes_on = ", where --resume goes on" if self._saved >= 0 else ""
                raise UserError(
                    f"{error}. The last checkpoint is {last}{goes_on}: free some space first"
                ) from error
            self._again = iteration + 1 + AGAIN
            logger.warning(
                "%s. Training goes on, and tries again in %d iterations; the last checkpoint is %s",
                *(error, AGAIN, last),
            )

    def _write(self, name: str, iteration: int) -> None:
        self._checkpointer.save(name, iteration=iteration)
        self._saved = iteration
        writes = self._checkpointer.save_dir and self._checkpointer.save_to_disk
        if writes and self._keep > 0 and name != "model_final":
            for path in periodic(self._checkpointer.save_dir)[: -self._keep]:
                path.unlink(missing_ok=True)


def check_space(model: nn.Module, optimizer: Optimizer, folder: str) -> None:
    """Compare the free space of the output folder with the size of a checkpoint.

    Raises:
        UserError: not even one fits.
    """
    free = _free(folder)
    size = checkpoint_bytes(model, optimizer)
    if free is None or free > 3 * size:
        return
    said = f"{folder} has {free / 2**20:.0f} MB free, and a checkpoint takes {size / 2**20:.0f} MB"
    cure = "free some space, or name another OUTPUT_DIR"
    if free < size:
        raise UserError(f"{said}: {cure}")
    logger.warning("%s: %s, or have only some kept (SOLVER.CHECKPOINT_KEEP)", said, cure)


def checkpoint_bytes(model: nn.Module, optimizer: Optimizer) -> int:
    """About how large a checkpoint is: weights, and what the optimizer remembers of each."""
    weights = sum(_bytes(value) for value in model.state_dict().values())
    trained = sum(
        _bytes(value) * _memories(group)
        for group in optimizer.param_groups
        for value in group["params"]
    )
    return weights + trained


def _memories(group: dict[str, Any]) -> int:
    """Tensors of a parameter's size that an optimizer keeps: SGD a momentum, Adam two."""
    if "betas" in group:
        return 2
    return 1 if group.get("momentum") else 0


def _bytes(value: Any) -> int:
    return value.numel() * value.element_size()


def _free(folder: str) -> int | None:
    """Free bytes of a folder's disk, None where nobody knows."""
    if "://" in folder or not os.path.isdir(folder):
        return None
    usage = shutil.disk_usage(folder)
    return usage.free if usage.total else None
