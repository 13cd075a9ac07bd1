"""A loop over iterations that calls hooks around each of them."""

import weakref
from collections.abc import Iterable
from typing import Any

from ..host import logger_of
from ..utils.events import EventStorage

logger = logger_of(__name__)


class HookBase:
    """Something that happens besides the optimization: logging, checkpoints, evaluation.

    A trainer calls its hooks in the order of their registration::

        before_train()
        for iter in range(start_iter, max_iter):
            before_step()
            run_step(), in whose midst after_backward()
            after_step()
        after_train()       # also when an iteration failed

    What takes time belongs into ``after_step`` rather than ``before_step``, so that timers, which
    come first in the list, measure the iteration alone. ``self.trainer`` gives access to the rest.

    A hook with ``state_dict`` and ``load_state_dict`` goes into checkpoints; of several hooks of
    one class only the first does.
    """

    trainer: Any = None  # a weak proxy of the trainer, from register_hooks on

    def before_train(self) -> None: ...

    def after_train(self) -> None: ...

    def before_step(self) -> None: ...

    def after_backward(self) -> None: ...

    def after_step(self) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of this hook; nothing by default."""
        return {}


class TrainerBase:
    """The loop alone: it knows nothing of models, data or optimizers.

    Attributes:
        iter: the present iteration, from 0.
        start_iter: the first one of this run, above 0 after resuming.
        max_iter: one past the last.
        storage: the :class:`EventStorage` of the run, open while training.
    """

    def __init__(self) -> None:
        self._hooks: list[HookBase] = []
        self.iter: int = 0
        self.start_iter: int = 0
        self.max_iter: int
        self.storage: EventStorage

    def register_hooks(self, hooks: Iterable[HookBase | None]) -> None:
        """Append hooks, called in this order; None entries are left out."""
        for hook in hooks:
            if hook is not None:
                # Weak, as a cycle would keep the model in memory after the trainer is gone.
                hook.trainer = weakref.proxy(self)
                self._hooks.append(hook)

    def train(self, start_iter: int, max_iter: int) -> None:
        """Run the iterations ``start_iter`` to ``max_iter - 1``."""
        logger.info("Starting training from iteration %d", start_iter)
        self.iter = self.start_iter = start_iter
        self.max_iter = max_iter
        with EventStorage(start_iter) as self.storage:
            try:
                self.before_train()
                while self.iter < max_iter:
                    self.before_step()
                    self.run_step()
                    self.after_step()
                    self.iter += 1  # equals max_iter in after_train of a finished run
            except Exception:
                logger.exception("Exception during training:")
                raise
            finally:
                self.after_train()

    def run_step(self) -> None:
        """One iteration of the training; subclasses say what it is."""
        raise NotImplementedError(f"{type(self).__name__} has no run_step()")

    def before_train(self) -> None:
        self._call_hooks("before_train")

    def after_train(self) -> None:
        self.storage.iter = self.iter
        self._call_hooks("after_train")

    def before_step(self) -> None:
        self.storage.iter = self.iter  # what is stored from now on belongs to it
        self._call_hooks("before_step")

    def after_backward(self) -> None:
        self._call_hooks("after_backward")

    def after_step(self) -> None:
        self._call_hooks("after_step")

    def state_dict(self) -> dict[str, Any]:
        """The iteration, and under "hooks" the states of the hooks by class name."""
        states = {name: hook.state_dict() for name, hook in self._hooks_by_name().items()}
        states = {name: state for name, state in states.items() if state}
        return {"iteration": self.iter, **({"hooks": states} if states else {})}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned; a warning for hooks that are not here."""
        self.iter = state_dict["iteration"]
        present: dict[str, Any] = self._hooks_by_name()
        for name, saved in state_dict.get("hooks", {}).items():
            if name in present:
                present[name].load_state_dict(saved)
            else:
                logger.warning("Cannot find the hook '%s', its state_dict is ignored.", name)

    def _call_hooks(self, event: str) -> None:
        for hook in self._hooks:
            getattr(hook, event)()

    def _hooks_by_name(self) -> dict[str, HookBase]:
        # backwards, so that the first of several stays
        return {type(hook).__qualname__: hook for hook in reversed(self._hooks)}
