"""What a TIFF file's directories say, read without decoding a pixel and without a package.

Both forms are read, the classic one and BigTIFF, in either byte order.
"""

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

__all__ = ["Directory", "directories", "first_values"]

Directory = dict[int, tuple[Any, ...] | str]  # by the tag's number

MOST_DIRECTORIES = 4096  # of a file; a chain that bites its tail ends here
MOST_VALUES = 65536  # of a tag; offsets of strips are not wanted
# struct's letter of each field type
_LETTERS = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q"}
_WANTED = frozenset({254, 256, 257, 258, 262, 274, 277, 284, 338, 339, 42113})


def directories(file: BinaryIO) -> Iterator[Directory]:
    """The tags of each picture in a TIFF file, in their order.

    Args:
        file: open for reading, at the file's begin.

    Raises:
        ValueError, struct.error: no TIFF file, or it is cut off.
    """
    start = file.read(8)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None:
        raise ValueError("neither II nor MM at its begin")
    (version,) = struct.unpack(f"{order}H", start[2:4])
    big = version == 43
    if version not in (42, 43):
        raise ValueError(f"TIFF version {version}")
    if big:
        (offset,) = struct.unpack(f"{order}Q", file.read(8))
    else:
        (offset,) = struct.unpack(f"{order}I", start[4:8])
    for _ in range(MOST_DIRECTORIES):
        if not offset:
            return
        tags, offset = _directory(file, offset, order, big)
        yield tags


def first_values(content: bytes) -> Directory:
    """The first directory of bytes in TIFF's form, such as a PNG's chunk eXIf; {} for others."""
    import io

    try:
        return next(directories(io.BytesIO(content)), {})
    except (ValueError, struct.error):
        return {}


def _directory(file: BinaryIO, offset: int, order: str, big: bool) -> tuple[Directory, int]:
    head, entry, room = ("Q", f"{order}HHQ", 8) if big else ("H", f"{order}HHI", 4)
    file.seek(offset)
    (count,) = struct.unpack(f"{order}{head}", file.read(struct.calcsize(head)))
    if count > MOST_VALUES:
        raise ValueError(f"a directory of {count} tags")
    size = struct.calcsize(entry) + room
    rows = file.read(count * size)
    (following,) = struct.unpack(f"{order}{'Q' if big else 'I'}", file.read(room))
    found: Directory = {}
    for start in range(0, count * size, size):
        tag, kind, number = struct.unpack_from(entry, rows, start)
        letter = _LETTERS.get(kind)
        if tag not in _WANTED or letter is None or number > MOST_VALUES:
            continue
        form = f"{order}{number}{letter}"
        length = struct.calcsize(form)
        value = rows[start + size - room : start + size]
        if length > room:
            file.seek(struct.unpack(f"{order}{'Q' if big else 'I'}", value)[0])
            value = file.read(length)
        values = struct.unpack(form, value[:length])
        found[tag] = values[0].decode("latin-1").strip("\0 ") if letter == "s" else values
    return found, following
