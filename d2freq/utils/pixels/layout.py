"""How a picture file holds its samples: bits, bands, kind of number, looked up in the file itself.

Pillow calls a PNG or TIFF of three times 16 bits "RGB" and gives its high bytes, and it cannot open
one of five bands at all, so its word is not taken for it.
"""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from d2freq.utils.pixels.tiff_tags import Directory, directories, first_values

__all__ = ["Layout", "layout_of", "read_layout"]

ALPHA = (1, 2)  # TIFF's ExtraSamples: associated and unassociated; 0 is a band like others
REDUCED = 1  # bit of NewSubfileType: a smaller copy of another picture in the file
# what Pillow reads of 8 bits, by PhotometricInterpretation: samples without alpha
_PLAIN = {0: (1,), 1: (1,), 2: (3,), 3: (1,), 5: (4,), 6: (3,), 8: (3,)}
_KINDS = {1: "uint", 2: "int", 3: "float", 5: "complex", 6: "complex"}
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type


@dataclass(frozen=True)
class Layout:
    """What a file's header says of its samples.

    Attributes:
        format: "PNG", "TIFF", "JPEG 2000", "PNM", or "" for all others, which have 8 bits.
        bits: of a sample.
        bands: samples of a pixel, alpha among them; 0 where the header was not asked.
        kind: "uint", "int", "float" or "complex".
        alpha: which of the bands, from 0, is no band but says where there is a picture; -1: none.
        plain: Pillow reads it as it is: at most 8 bits, and grey, RGB, a palette or inks.
        size: (width, height) as they lie in the file; (0, 0) where the header was not asked.
        orientation: EXIF's, 1 to 8; of a plain PNG nobody looked.
        nodata: the value that stands for no measurement, None where the file names none.
        pages: pictures of one size and kind in the file.
        stacked: each of them is a band, as where they are deep and of one band; else the first
            alone is read.
        damaged: why not all of them are known; "" where they are.
        white_is_zero: a TIFF's numbers are darkness (PhotometricInterpretation 0), and a program
            that shows the picture inverts them.
    """

    format: str = ""
    bits: int = 8
    bands: int = 0
    kind: str = "uint"
    alpha: int = -1
    plain: bool = True
    size: tuple[int, int] = (0, 0)
    orientation: int = 1
    nodata: float | None = None
    pages: int = 1
    stacked: bool = False
    damaged: str = ""
    white_is_zero: bool = False

    @property
    def deep(self) -> bool:
        """Whether a sample has more than 8 bits."""
        return self.bits > 8

    @property
    def colours(self) -> tuple[int, ...]:
        """The bands that are no alpha, from 0."""
        return tuple(band for band in range(self.bands) if band != self.alpha)

    def __str__(self) -> str:
        """As "3 bands of 16 bits (uint16)"."""
        count = f"{self.bands} band{'s' if self.bands != 1 else ''}"
        return f"{count} of {self.bits} bits ({self.kind}{self.bits})"


def read_layout(path: str | os.PathLike) -> Layout:
    """The layout of a picture file; one of "" for what has 8 bits anyway, or cannot be read.

    A file that is missing or broken is no matter of this function: reading its pixels tells why.
    """
    try:
        with open(path, "rb") as file:
            return layout_of(file)
    except OSError:
        return Layout()


def layout_of(file: BinaryIO) -> Layout:
    """The same of a file that is open, at its begin; it is left anywhere."""
    try:
        start = file.read(32)
        file.seek(0)
        if start[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(file, start)
        if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(file)
        if start[4:8] == b"jP  " or start[:4] == b"\xff\x4f\xff\x51":
            return _jpeg_2000(file.read(4096))
        if start[:2] in (b"P2", b"P3", b"P5", b"P6", b"Pf", b"PF"):
            return _pnm(file.read(4096))
    except (OSError, ValueError, struct.error, IndexError):
        pass
    return Layout()


def _png(file: BinaryIO, start: bytes) -> Layout:
    width, height, bits, colour = struct.unpack(">IIBB", start[16:26])
    orientation = 1
    file.seek(33)
    while bits > 8 and len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
        (length,) = struct.unpack(">I", head[:4])
        if head[4:] == b"eXIf":
            orientation = _orientation(first_values(file.read(length)))
            break
        file.seek(length + 4, os.SEEK_CUR)
    bands = _PNG_SAMPLES[colour]
    return Layout(
        "PNG",
        bits=bits,
        bands=bands,
        alpha=bands - 1 if bands in (2, 4) else -1,
        plain=bits <= 8,
        size=(width, height),
        orientation=orientation,
    )


def _tiff(file: BinaryIO) -> Layout:
    pages: list[Directory] = []
    damaged = ""
    try:
        pages.extend(directories(file))
    except (ValueError, struct.error) as error:
        damaged = f"the directory of picture {len(pages) + 1} is cut off: {error}"
    whole = [page for page in pages if not int(_value(page, 254, 0)) & REDUCED]
    first = (whole or pages)[0]
    bits, bands = int(_value(first, 258, 1)), int(_value(first, 277, 1))
    kind = _KINDS.get(int(_value(first, 339, 1)), "uint")
    extra = first.get(338, ())
    alphas = [bands - len(extra) + n for n, each in enumerate(extra) if each in ALPHA]
    alpha = alphas[0] if alphas else -1
    samples = bands - (alpha >= 0)
    plain = bits <= 8 and kind == "uint" and samples in _PLAIN.get(int(_value(first, 262, 1)), ())
    like = [page for page in whole if _key(page) == _key(first)]
    stacked = len(like) > 1 and not plain and bands == 1
    text = first.get(42113, "")
    return Layout(
        "TIFF",
        bits=bits,
        bands=len(like) if stacked else bands,
        kind=kind,
        alpha=alpha,
        plain=plain,
        size=(int(_value(first, 256, 0)), int(_value(first, 257, 0))),
        orientation=_orientation(first),
        nodata=_number(str(text)),
        pages=len(like),
        stacked=stacked,
        damaged=damaged,
        white_is_zero=_value(first, 262, 1) == 0,
    )


def _jpeg_2000(start: bytes) -> Layout:
    """From the box ``ihdr``, or from the marker SIZ of a bare codestream."""
    place = start.find(b"ihdr")
    if place >= 0:
        height, width, bands, depth = struct.unpack_from(">IIHB", start, place + 4)
        if depth == 255:  # each band has its own, which the codestream tells
            place = -1
    if place < 0:
        place = start.index(b"\xff\x4f\xff\x51") + 2
        right, bottom, left, top = struct.unpack_from(">IIII", start, place + 6)
        width, height = right - left, bottom - top
        (bands,) = struct.unpack_from(">H", start, place + 38)
        depth = start[place + 40]
    bits = (depth & 127) + 1
    kind = "int" if depth & 128 else "uint"
    plain = bits <= 8 and bands in (1, 3)
    alpha = bands - 1 if bands in (2, 4) and bits <= 8 else -1
    return Layout(
        "JPEG 2000", bits=bits, bands=bands, kind=kind, alpha=alpha, plain=plain or alpha >= 0,
        size=(width, height),
    )  # fmt: skip


def _pnm(start: bytes) -> Layout:
    words: list[bytes] = []
    for line in start.split(b"\n"):
        words += line.partition(b"#")[0].split()
        if len(words) > 3:
            break
    magic, width, height, most = words[0], int(words[1]), int(words[2]), float(words[3])
    bands = 3 if magic in (b"P3", b"P6", b"PF") else 1
    if magic in (b"PF", b"Pf"):
        return Layout("PNM", 32, bands, "float", plain=False, size=(width, height))
    deep = most > 255
    return Layout("PNM", 16 if deep else 8, bands, plain=not deep, size=(width, height))


def _value(page: Directory, tag: int, otherwise: float) -> float:
    values = page.get(tag)
    return values[0] if values and not isinstance(values, str) else otherwise


def _key(page: Directory) -> tuple:
    return tuple(page.get(tag) for tag in (256, 257, 258, 277, 339))


def _orientation(page: Directory) -> int:
    value = int(_value(page, 274, 1))
    return value if 1 <= value <= 8 else 1


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
