"""A hook out of plain functions."""

from __future__ import annotations

from collections.abc import Callable

from ..trainer_base import HookBase, TrainerBase

Callback = Callable[[TrainerBase], object]


def _nothing(trainer: TrainerBase) -> None: ...


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
        self._at_start = before_train or _nothing
        self._at_end = after_train or _nothing
        self._before = before_step or _nothing
        self._after = after_step or _nothing

    def before_train(self) -> None:
        """See :class:`HookBase`."""
        self._at_start(self.trainer)

    def after_train(self) -> None:
        """See :class:`HookBase`; lets the functions go, as they may hold the trainer."""
        self._at_end(self.trainer)
        self._at_start = self._at_end = self._before = self._after = _nothing

    def before_step(self) -> None:
        """See :class:`HookBase`."""
        self._before(self.trainer)

    def after_step(self) -> None:
        """See :class:`HookBase`."""
        self._after(self.trainer)
