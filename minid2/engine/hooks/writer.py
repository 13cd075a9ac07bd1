"""Hand the stored scalars to the writers now and then."""

from __future__ import annotations

from collections.abc import Sequence

from ...utils.events import EventWriter
from ..trainer_base import HookBase


class PeriodicWriter(HookBase):
    """Call ``write()`` of all writers every ``period`` iterations and after the last one.

    It belongs last into the list of hooks, so that it sees what the others stored. The writers
    smooth as they please; ``period`` has no part in that.
    """

    def __init__(self, writers: Sequence[EventWriter], period: int = 20) -> None:
        for writer in writers:
            assert isinstance(writer, EventWriter), f"not an EventWriter: {writer!r}"
        self._writers = list(writers)
        self._period = period

    def after_step(self) -> None:
        """Write if it is time; what the last iteration stores waits for :meth:`after_train`."""
        done = self.trainer.iter + 1
        if done % self._period == 0 or done == self.trainer.max_iter:
            self._write()

    def after_train(self) -> None:
        """Write what was stored last, such as the final evaluation, and close the writers."""
        for writer in self._writers:
            writer.write()
            writer.close()

    def _write(self) -> None:
        for writer in self._writers:
            writer.write()
