"""What goes wrong while a picture is decoded, in one line that names the file and the cure."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from d2freq.errors import DatasetError

__all__ = ["decoding", "no_picture", "unreadable"]


@contextmanager
def decoding(path: str | os.PathLike) -> Iterator[None]:
    """A block that reads ``path``; decoders raise errors of many kinds on broken files.

    Raises:
        DatasetError: the file is missing or broken; one that the block raises goes through.
    """
    try:
        yield
    except FileNotFoundError as error:
        link = _link(path)
        raise DatasetError(
            f"{path}: {link}; correct or delete it"
            if link
            else f"{path}: no such image; fetch it, or name the folder where it lies"
        ) from error
    except DatasetError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error


def unreadable(path: str | os.PathLike, error: Exception) -> DatasetError:
    """The error of a picture that a decoder gave up; what it said, or what the file is instead."""
    known = no_picture(path)
    if known:
        return DatasetError(f"{path}: {known}; fetch it again, or remove it")
    said = " ".join(str(error).split()) or type(error).__name__
    # decoders name the file once more, and a program's object in its place
    said = "its content is no picture of a known kind" if str(path) in said else said
    return DatasetError(f"{path}: unreadable ({said}); fetch it again, or remove it")


def no_picture(path: str | os.PathLike) -> str:
    """What a file is that is called a picture and is none, "" where it is not known."""
    if link := _link(path):
        return link
    with suppress(OSError), open(path, "rb") as file:
        head = file.read(64).lstrip().lower()
        if not head and os.path.getsize(path) == 0:
            return "an empty file (0 bytes)"
        if head.startswith(b"version https://git-lfs"):
            return "a pointer of Git LFS, whose picture 'git lfs pull' fetches"
        if head.startswith((b"<!doctype html", b"<html")):
            return "a web page, as servers send it in place of a picture that they do not have"
    return ""


def _link(path: str | os.PathLike) -> str:
    """Where a link leads that leads to no file, "" for all else."""
    if not os.path.islink(path) or os.path.exists(path):
        return ""
    return f"a link to {os.readlink(os.fspath(path))}, which is not there or leads back to itself"
