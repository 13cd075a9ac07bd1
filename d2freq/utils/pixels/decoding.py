"""What goes wrong while a picture is decoded, in one line that names the file and the cure."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from d2freq.errors import DatasetError

__all__ = ["decoding"]


@contextmanager
def decoding(path: str | os.PathLike) -> Iterator[None]:
    """A block that reads ``path``; decoders raise errors of many kinds on broken files.

    Raises:
        DatasetError: the file is missing or broken; one that the block raises goes through.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path}: no such image; fetch it, or name the folder where it lies"
        ) from error
    except DatasetError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(
            f"{path}: unreadable ({reason}); fetch it again, or remove it"
        ) from error
