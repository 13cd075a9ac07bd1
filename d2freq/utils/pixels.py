"""Image files: what their headers say, their pixels as Detectron2 sees them, and how to write one.

Huge images are no danger here: DOTA-v2.0 has images of 20,000 x 20,000 pixels.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from d2freq.errors import DatasetError
from d2freq.utils.files import replacing

MISSING = "missing image"
EMPTY = "empty image file"
UNREADABLE = "unreadable image"
TRUNCATED = "truncated image"
# images without pixels: what is to be done is the same for all of them
LOST = (MISSING, EMPTY, UNREADABLE, TRUNCATED)

FORMATS = ("png", "jpg")  # that write_rgb writes
STRIP = 1024  # rows converted at a time

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright, 5 to 8 exchange width and height
_CAMERA_FORMATS = ("JPEG", "MPO", "TIFF")
_DEEP_MODES = ("I", "F")  # Pillow's of 16 and 32 bits a sample


class Look(NamedTuple):
    """What was seen of an image file.

    ``size`` is (width, height) in pixels as Detectron2 sees them, the EXIF rotation applied.
    """

    fault: str = ""  # one of LOST
    reason: str = ""
    size: tuple[int, int] = (0, 0)
    turned: bool = False  # by its EXIF orientation
    mode: str = ""  # of Pillow

    @property
    def deep(self) -> bool:
        """More than 8 bits a sample, which reading cuts off at 255."""
        return self.mode.startswith(_DEEP_MODES)


def look_at(path: str, decode: bool = False) -> Look:
    """Open an image, read its header and with ``decode`` every pixel."""
    try:
        if os.path.getsize(path) == 0:
            return Look(EMPTY, "0 bytes")
    except OSError as error:
        return Look(MISSING, str(error.strerror))
    stage = UNREADABLE
    try:
        with any_size(), Image.open(path) as image:
            stage = TRUNCATED
            # asking a PNG without EXIF data for it reads all pixels
            asked = image.format in _CAMERA_FORMATS or "exif" in image.info
            before = left = _orientation(image) if asked else 1
            # newer Pillow turns a TIFF itself when it reads the pixels
            if decode or (image.format == "TIFF" and before > 1):
                image.load()
                left = _orientation(image)
            width, height = image.size
            mode = image.mode
    except Exception as error:  # Pillow raises many kinds on broken files
        return Look(stage if decode else UNREADABLE, str(error))
    size = (height, width) if left in (5, 6, 7, 8) else (width, height)
    return Look(size=size, turned=1 < max(before, left) < 9, mode=mode)


def read_rgb(path: str | os.PathLike, size: tuple[int, int] | None = None) -> np.ndarray:
    """The pixels (H, W, 3) uint8 as Detectron2 sees them: EXIF rotation applied, alpha dropped.

    Grey is repeated thrice, palettes and inks are looked up without a colour profile. Images with
    more than 8 bits a sample are refused, as the choice of the range that is kept belongs to the
    user (16-bit RGB in PNG files is read by its high byte, which Pillow does by itself).

    Args:
        size: (width, height) that the COCO file gives; None takes any.

    Raises:
        DatasetError: not found, unreadable, of another size, or of more than 8 bits.
    """
    try:
        with any_size(), Image.open(path) as image:
            if image.mode.startswith(_DEEP_MODES):
                raise DatasetError(
                    f"{path}: more than 8 bits a sample (Pillow's mode {image.mode}), of which "
                    "values over 255 would turn white; scale the range that matters to 0..255 and "
                    "write it as 8-bit grey or RGB first"
                )
            # it would copy an image that needs nothing, and images may be huge
            pixels = _pixels(ImageOps.exif_transpose(image) if _orientation(image) != 1 else image)
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path}: no such image; fetch it, or name the folder where it lies"
        ) from error
    except DatasetError:
        raise
    except Exception as error:  # Pillow raises many kinds on broken files
        raise DatasetError(f"{path}: unreadable ({error}); fetch it again, or remove it") from error
    found = pixels.shape[1], pixels.shape[0]
    if size is not None and found != tuple(size):
        raise DatasetError(
            f"{path}: {found[0]} x {found[1]} pixels, the COCO file says {size[0]} x {size[1]}; "
            "correct width and height there, or fetch the image again"
        )
    return pixels


def read_grey(path: str | os.PathLike) -> np.ndarray | None:
    """(H, W) uint8, turned as its EXIF tag says; None where it cannot be read."""
    import cv2

    return cv2.imread(os.fspath(path), cv2.IMREAD_GRAYSCALE)


def write_rgb(path: str | os.PathLike, pixels: np.ndarray, *, compression: int = 1) -> None:
    """Write (H, W, 3) uint8 as PNG or JPEG by the name's ending; all or nothing.

    Args:
        compression: of PNG; 4 takes twice the time of 1 and saves 3 percent of a photograph.
    """
    import cv2

    options = {
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, compression],
        # full chroma: halved, it blurs objects of a few pixels
        ".jpg": [
            *(cv2.IMWRITE_JPEG_QUALITY, 95),
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        ],
    }
    suffix = Path(path).suffix
    encoded = cv2.imencode(suffix, pixels[:, :, ::-1], options[suffix])[1]
    with replacing(path, sync=False) as draft:
        draft.write_bytes(encoded.tobytes())


@contextmanager
def any_size() -> Iterator[None]:
    """Lift Pillow's limit of 179 million pixels."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _pixels(image: Image.Image) -> np.ndarray:
    """In strips: as a whole, Pillow holds an image of 20,000 x 20,000 four times at once."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        pixels[top : top + STRIP] = np.asarray(strip.convert("RGB"))
    return pixels


def _orientation(image: Image.Image) -> int:
    return image.getexif().get(_ORIENTATION, 1)
