"""A hook out of plain functions."""

from __future__ import annotations

from collections.abc import Callable

from ..trainer_base import HookBase, TrainerBase

Callback = Callable[[TrainerBase], None]


class CallbackHook(HookBase):
    """Call the given functions, each with the trainer as its only argument."""

    def __init__(
        self,
        *,
        before_train: Callback | None = None,
        after_train: Callback | None = None,
        before_step: Callback | None = None,
        after_step: Callback | None = None,
    ) -> None:
        self._callbacks = {
            "before_train": before_train,
            "after_train": after_train,
            "before_step": before_step,
            "after_step": after_step,
        }

    def before_train(self) -> None:
        """See :class:`HookBase`."""
        self._call("before_train")

    def after_train(self) -> None:
        """See :class:`HookBase`; the functions are let go, as they may hold the trainer."""
        self._call("after_train")
        self._callbacks.clear()

    def before_step(self) -> None:
        """See :class:`HookBase`."""
        self._call("before_step")

    def after_step(self) -> None:
        """See :class:`HookBase`."""
        self._call("after_step")

    def _call(self, event: str) -> None:
        callback = self._callbacks.get(event)
        if callback is not None:
            callback(self.trainer)
