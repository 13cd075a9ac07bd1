"""What a picture file's header says of it, and whether its pixels can be read."""

import os
from contextlib import ExitStack
from typing import NamedTuple

from PIL import Image

from d2freq.errors import DatasetError
from d2freq.utils.pixels.decoding import no_picture
from d2freq.utils.pixels.layout import Layout, layout_of
from d2freq.utils.pixels.limits import any_size
from d2freq.utils.pixels.samples import read_samples

__all__ = ["EMPTY", "LOST", "MISSING", "TRUNCATED", "UNREADABLE", "Look", "look_at"]

MISSING = "missing image"
EMPTY = "empty image file"
UNREADABLE = "unreadable image"
TRUNCATED = "truncated image"
# images without pixels: what is to be done is the same for all of them
LOST = (MISSING, EMPTY, UNREADABLE, TRUNCATED)

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright, 5 to 8 exchange width and height
_CAMERA_FORMATS = ("JPEG", "MPO", "TIFF")
# a telephone's JPEG has further pictures, too: its depth, its gain, a smaller copy
_ANIMATED = ("GIF", "PNG", "WEBP")
_DEEP_MODES = ("I", "F")  # Pillow's of 16 and 32 bits a sample


class Look(NamedTuple):
    """What was seen of an image file.

    ``size`` is (width, height) in pixels as Detectron2 sees them, the EXIF rotation applied.
    """

    fault: str = ""  # one of LOST
    reason: str = ""
    size: tuple[int, int] = (0, 0)
    turned: bool = False  # by its EXIF orientation
    mode: str = ""  # of Pillow; "" where Pillow does not read such a file
    samples: str = ""  # of what no 8-bit RGB holds, in words: "5 bands of 16 bits (uint16)"
    unread: int = 0  # further pictures in the file, which nobody reads

    @property
    def deep(self) -> bool:
        """Whether reading it as 8-bit RGB loses bits or bands: INPUT.PIXELS is for such files."""
        return bool(self.samples) or self.mode.startswith(_DEEP_MODES)


def look_at(path: str, decode: bool = False) -> Look:
    """Open an image, read its header and with ``decode`` every pixel."""
    try:
        if os.path.getsize(path) == 0:
            return Look(EMPTY, "0 bytes")
    except OSError as error:
        if os.path.islink(path):
            return Look(MISSING, f"a link to {os.readlink(path)}, which is not there")
        return Look(MISSING, str(error.strerror))
    stage = UNREADABLE
    try:
        with ExitStack() as opened:
            file = opened.enter_context(open(path, "rb"))
            layout = layout_of(file)
            if not layout.plain:
                return _look_at_samples(path, layout, decode)
            file.seek(0)
            opened.enter_context(any_size())
            image = opened.enter_context(Image.open(file))
            stage = TRUNCATED
            # asking a PNG without EXIF data for it reads all pixels
            asked = image.format in _CAMERA_FORMATS or "exif" in image.info
            before = left = image.getexif().get(_ORIENTATION, 1) if asked else 1
            # newer Pillow turns a TIFF itself when it reads the pixels
            if decode or (image.format == "TIFF" and before > 1):
                image.load()
                left = image.getexif().get(_ORIENTATION, 1)
            width, height = image.size
            mode = image.mode
            animated = image.format in _ANIMATED and getattr(image, "is_animated", False)
            pages = max(layout.pages, getattr(image, "n_frames", 1) if animated else 1)
    except Exception as error:  # Pillow raises many kinds on broken files
        return Look(stage if decode else UNREADABLE, no_picture(path) or str(error))
    size = (height, width) if left in (5, 6, 7, 8) else (width, height)
    return Look(size=size, turned=1 < max(before, left) < 9, mode=mode, unread=max(0, pages - 1))


def _look_at_samples(path: str, layout: Layout, decode: bool) -> Look:
    if decode or layout.damaged:
        try:
            read_samples(path)
        except DatasetError as error:
            return Look(TRUNCATED, str(error).removeprefix(f"{path}: "))
    width, height = layout.size
    size = (height, width) if layout.orientation in (5, 6, 7, 8) else (width, height)
    unread = 0 if layout.stacked else max(0, layout.pages - 1)
    return Look(size=size, turned=layout.orientation > 1, samples=str(layout), unread=unread)
