"""Pictures of 8 bits as Detectron2 sees them, and how to write one.

Huge images are no danger here: DOTA-v2.0 has images of 20,000 x 20,000 pixels.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from d2freq.errors import DatasetError
from d2freq.utils.files import replacing
from d2freq.utils.pixels.decoding import decoding
from d2freq.utils.pixels.limits import any_size
from d2freq.utils.pixels.refusal import CURE, refuse_deep

__all__ = ["FORMATS", "STRIP", "check_size", "read_rgb", "write_rgb"]

FORMATS = ("png", "jpg")  # that write_rgb writes
STRIP = 1024  # rows converted at a time

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright
_DEEP_MODES = ("I", "F")  # Pillow's of 16 and 32 bits a sample, of formats without a layout here


def read_rgb(
    path: str | os.PathLike, size: tuple[int, int] | None = None, *, cure: str = CURE
) -> np.ndarray:
    """The pixels (H, W, 3) uint8 as Detectron2 sees them: EXIF rotation applied, alpha dropped.

    Grey is repeated thrice, palettes and inks are looked up without a colour profile. Images with
    more than 8 bits a sample, or of other bands, are refused by what their file says: the range
    that is kept belongs to the user, see PixelReader.

    Args:
        size: (width, height) that the COCO file gives; None takes any.
        cure: the end of that refusal.

    Raises:
        DatasetError: not found, unreadable, of another size, of more than 8 bits or other bands.
    """
    refuse_deep(path, cure=cure)
    with decoding(path), any_size(), Image.open(path) as image:
        if image.mode.startswith(_DEEP_MODES):
            raise DatasetError(
                f"{path}: samples of Pillow's mode {image.mode}; read as 8 bits they would "
                f"lose of them: {cure}"
            )
        # it would copy an image that needs nothing, and images may be huge
        pixels = _pixels(ImageOps.exif_transpose(image) if _orientation(image) != 1 else image)
    check_size(path, pixels, size)
    return pixels


def check_size(path: str | os.PathLike, pixels: np.ndarray, size: tuple[int, int] | None) -> None:
    """Raise DatasetError where (H, W, ...) pixels are not of (width, height); None takes any."""
    found = pixels.shape[1], pixels.shape[0]
    if size is not None and found != tuple(size):
        raise DatasetError(
            f"{path}: {found[0]} x {found[1]} pixels, the COCO file says {size[0]} x {size[1]}; "
            "correct width and height there, or fetch the image again"
        )


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


def _pixels(image: Image.Image) -> np.ndarray:
    """In strips: as a whole, Pillow holds an image of 20,000 x 20,000 four times at once."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        pixels[top : top + STRIP] = np.asarray(strip.convert("RGB"))
    return pixels


def _orientation(image: Image.Image) -> int:
    return image.getexif().get(_ORIENTATION, 1)
