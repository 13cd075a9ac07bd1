"""Files that are either the old one or the complete new one, never half of it."""

import contextlib
import os
from collections.abc import Iterator
from typing import IO, Any


class AtomicPathManager:
    """iopath's path manager, but a local file that it writes comes into being when complete."""

    def __init__(self, path_manager: Any) -> None:
        self._inner = path_manager

    @contextlib.contextmanager
    def open(self, path: str, mode: str = "r", **kwargs) -> Iterator[IO]:
        """As iopath's ``open``, but to be used in a ``with`` statement only.

        Raises:
            OSError: the file cannot be written; what stood at ``path`` before is untouched.
        """
        if "w" not in mode or "://" in path:
            with self._inner.open(path, mode, **kwargs) as file:
                yield file
            return
        beside = path + ".tmp"  # the same folder, since a rename between file systems is a copy
        try:
            with open(beside, mode) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as the latter
            with contextlib.suppress(OSError):
                os.remove(beside)
            raise OSError(
                f"could not write {path}: {error}. What stood there before is untouched; check "
                "the free space and the permissions of the folder"
            ) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
