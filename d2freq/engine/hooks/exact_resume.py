"""Exact resume: weights and losses after --resume are those of a run that was never interrupted.

Beside weights, optimizer, schedule and gradient scale a checkpoint keeps, of each process, the
states of all random sources, the position in the data (see d2freq.data.stream), and what modules
change outside of their state_dict.
"""

import logging
from typing import Any

import torch
from detectron2.engine import HookBase
from detectron2.utils import comm
from torch import nn

from d2freq.data.stream import ExactLoader, exact_loader
from d2freq.engine.hooks.module_states import ModuleStates
from d2freq.engine.step import step_of
from d2freq.utils.random_states import pack_random_states, unpack_random_states

__all__ = ["ExactResume"]

logger = logging.getLogger(__name__)

COUNTED_EVERY = 20  # iterations, where the counts of several processes are added


class ExactResume(HookBase):
    """Keeps the states of all processes in the checkpoint, and the data past bad pictures.

    It has to be called before the hook that saves, and to stand in every process.

    Args:
        model: the one that is trained.
        bad_images: DATALOADER.BAD_IMAGES; what is passed over is stored as "bad_images".
    """

    def __init__(self, model: nn.Module, *, bad_images: str) -> None:
        self._policy = bad_images
        self._modules = ModuleStates(model)
        self._loader: Any = None
        self._resumed: dict[str, Any] | None = None
        self._sources = b""  # random states that the first iteration begins with
        self._gathered: tuple[int, list[dict[str, Any]]] | None = None

    def before_train(self) -> None:
        """Put the loader into the training, and go on where the checkpoint was."""
        step: Any = step_of(self.trainer)
        loader, reason = exact_loader(step.data_loader, bad_images=self._policy)
        step.data_loader = loader
        self._loader = None if reason else loader
        if reason:
            logger.warning(
                "Resuming this training will not be exact, and DATALOADER.BAD_IMAGES has no "
                "effect: of its train loader, %s",
                reason,
            )
        if self._resumed is None:
            if self.trainer.start_iter > 0:
                logger.warning(
                    "The checkpoint holds no random states and no position in the data: training "
                    "goes on from iteration %d, but not exactly as without the interruption",
                    self.trainer.start_iter,
                )
            return
        self._modules.load_state_dict(self._resumed["modules"])
        if self._loader is not None and self._resumed["loader"] is not None:
            self._loader.load_state_dict(self._resumed["loader"])
        self._sources = self._resumed["sources"].numpy().tobytes()
        self._resumed = None

    def before_step(self) -> None:
        if self._sources:  # not in before_train, where other hooks may still draw
            unpack_random_states(self._sources)
            self._sources = b""

    def after_step(self) -> None:
        """Store how many bad pictures all processes have passed over."""
        if self._policy == "raise" or not isinstance(self._loader, ExactLoader):
            return
        done = self.trainer.iter + 1
        if comm.get_world_size() == 1:
            counts = [self._loader.bad_images]
        elif done % COUNTED_EVERY and done < self.trainer.max_iter:
            return
        else:
            counts = comm.all_gather(self._loader.bad_images)
        self.trainer.storage.put_scalar("bad_images", sum(counts), smoothing_hint=False)

    def gather(self) -> None:
        """Have the states of all processes in the next checkpoint; to be called in all of them."""
        self._gathered = self.trainer.iter, comm.gather(self._state())

    def state_dict(self) -> dict[str, Any]:
        """The states of all processes, {} where those of the others are not known."""
        if self._gathered is not None and self._gathered[0] == self.trainer.iter:
            return {"processes": self._gathered[1]}
        return {"processes": [self._state()]} if comm.get_world_size() == 1 else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the state of this process."""
        processes = state["processes"]
        if len(processes) != comm.get_world_size():
            logger.warning(
                "The checkpoint is of a training with %d processes, this one has %d",
                *(len(processes), comm.get_world_size()),
            )
            return
        self._resumed = processes[comm.get_rank()]

    def _state(self) -> dict[str, Any]:
        sources = bytearray(pack_random_states(cuda=True))
        return {
            "sources": torch.frombuffer(sources, dtype=torch.uint8),
            "loader": None if self._loader is None else self._loader.state_dict(),
            "modules": self._modules.state_dict(),
        }
