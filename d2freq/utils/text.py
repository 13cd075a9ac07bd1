"""Text files as tools write them: UTF-8 with or without a byte order mark, UTF-16, UTF-32, gzip.

What is none of these is refused with the cure: in most bytes of GBK or Latin-1 several readings are
possible, and a wrong one would show in no error.
"""

import codecs
import gzip
import io
import os
import zlib
from pathlib import Path
from typing import TextIO

from d2freq.errors import DatasetError

__all__ = ["as_text", "encoding_of", "is_plain", "open_text", "read_text", "read_whole"]

GZIP = b"\x1f\x8b"
ARCHIVES = {b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z"}
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the next one does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
HEAD = 4  # bytes that tell


def encoding_of(head: bytes) -> str:
    """The Unicode encoding of a text by its first four bytes, whose first letter is ASCII."""
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    where = tuple(byte == 0 for byte in head[:HEAD])
    patterns: dict[tuple[bool, ...], str] = {
        (True, True, True, False): "utf-32-be",
        (False, True, True, True): "utf-32-le",
        (True, False, True, False): "utf-16-be",
        (False, True, False, True): "utf-16-le",
        # the second letter may be no ASCII
        (True, False, False, False): "utf-16-be",
        (False, True, False, False): "utf-16-le",
    }
    return patterns.get(where, "utf-8")


def is_plain(path: str | os.PathLike) -> bool:
    """Whether a file can be what any tool reads: UTF-8 without a mark, not packed."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
    return not head.startswith(GZIP) and encoding_of(head) == "utf-8"


def read_whole(path: str | os.PathLike) -> bytes:
    """The bytes of a file, those within where it is gzip.

    Raises:
        DatasetError: an archive of another kind, or gzip that breaks off.
        OSError: it cannot be read.
    """
    content = Path(path).read_bytes()
    _refuse_archive(content[:HEAD], path)
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path}: gzip that breaks off ({error}); fetch it again") from error


def as_text(content: bytes, path: str | os.PathLike) -> str:
    """The text of a file's bytes.

    Raises:
        DatasetError: it is none in Unicode; ``path`` and the cure are in the message.
    """
    try:
        return content.decode(encoding_of(content[:HEAD]))
    except UnicodeDecodeError as error:
        raise not_unicode(path, error) from error


def read_text(path: str | os.PathLike) -> str:
    """The text of a file, its line ends as they are.

    Raises:
        DatasetError: it is none in Unicode, or in an archive.
        OSError: it cannot be read.
    """
    return as_text(read_whole(path), path)


def open_text(path: str | os.PathLike) -> TextIO:
    """Open a text to read it in pieces; a UnicodeDecodeError may come of it then.

    Raises:
        DatasetError: an archive of another kind than gzip.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD)
    _refuse_archive(head, path)
    if not head.startswith(GZIP):
        return open(path, encoding=encoding_of(head))
    with gzip.open(path) as packed:
        head = packed.read(HEAD)
    return io.TextIOWrapper(gzip.open(path), encoding=encoding_of(head))


def not_unicode(path: str | os.PathLike, error: UnicodeDecodeError) -> DatasetError:
    """The error of a text that is in none of these encodings."""
    return DatasetError(
        f"{path}: no text in {error.encoding.upper()} ({error.reason} at byte {error.start}); save "
        "it as UTF-8"
    )


def _refuse_archive(head: bytes, path: str | os.PathLike) -> None:
    for magic, kind in ARCHIVES.items():
        if head.startswith(magic[:HEAD]):
            raise DatasetError(f"{path}: a {kind} archive; unpack it and name the file within")
