"""Files that are either the old one or the complete new one, never half of it."""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import IO, Any

__all__ = ["AtomicPathManager", "open_atomically"]


@contextlib.contextmanager
def open_atomically(path: str) -> Iterator[IO[bytes]]:
    """Open ``path`` for writing bytes; it comes into being only when all of them are on disk.

    Raises:
        OSError: the bytes cannot be written; what stood at ``path`` before is untouched.
    """
    beside = path + ".tmp"  # the same folder, since a rename between file systems is a copy
    try:
        with open(beside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.remove(beside)
        if isinstance(error, (OSError, RuntimeError)):  # torch reports a full disk as the latter
            raise OSError(
                f"could not write {path}: {error}. What stood there before is untouched; check "
                "the free space and the permissions of the folder"
            ) from error
        raise
    _sync_folder(os.path.dirname(path) or ".")


def _sync_folder(folder: str) -> None:
    """Make the rename itself survive a power cut, where folders can be opened (not on Windows)."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class AtomicPathManager:
    """A path manager that writes local files atomically and passes on everything else."""

    def __init__(self, path_manager: Any) -> None:
        """Wrap iopath's ``path_manager``."""
        self._inner = path_manager

    @contextlib.contextmanager
    def open(self, path: str, mode: str = "r", **kwargs) -> Iterator[IO]:
        """As iopath's ``open``, but to be used in a ``with`` statement only."""
        if "w" not in mode or "://" in path:
            with self._inner.open(path, mode, **kwargs) as file:
                yield file
            return
        with open_atomically(path) as file:
            if "b" in mode:
                yield file
            else:
                text = io.TextIOWrapper(file, encoding="utf-8")
                yield text
                text.detach()  # flushes, and leaves the file open for its last steps

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":  # not there yet while copy or pickle build the object
            raise AttributeError(name)
        return getattr(self._inner, name)
