"""Writers of metrics that a full disk does not end a training with."""

import logging
from collections.abc import Sequence

from detectron2.utils.events import EventWriter

logger = logging.getLogger(__name__)

__all__ = ["TolerantWriter", "tolerant"]


def tolerant(writers: Sequence[EventWriter]) -> list[EventWriter]:
    """Each writer within a :class:`TolerantWriter`."""
    return [TolerantWriter(writer) for writer in writers]


class TolerantWriter(EventWriter):
    """An EventWriter whose failures to write are a warning, the first of a row of them.

    Args:
        inner: the writer, such as JSONWriter.
    """

    def __init__(self, inner: EventWriter) -> None:
        self.inner = inner
        self._failed = False

    def write(self) -> None:
        """As the writer's own; what it could not write is missing from its file."""
        try:
            self.inner.write()
            self._failed = False
        except OSError as error:
            self._warn(error)

    def close(self) -> None:
        try:
            self.inner.close()
        except OSError as error:
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._failed:
            logger.warning(
                "%s could not write (%s): training goes on, and its file lacks these iterations",
                *(type(self.inner).__name__, error.strerror or error),
            )
        self._failed = True
