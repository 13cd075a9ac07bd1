"""Read an image of any kind as 8-bit RGB, and write a tile; huge images are no danger here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from d2freq.errors import DatasetError

EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # modes of Pillow
STRIP = 1024  # rows converted at a time
FORMATS = {
    "png": [cv2.IMWRITE_PNG_COMPRESSION, 1],  # 4 takes twice the time and saves 3 percent
    # full chroma: halved, it blurs objects of a few pixels
    "jpg": [
        *(cv2.IMWRITE_JPEG_QUALITY, 95),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ],
}


def read_rgb(path: str | os.PathLike, size: tuple[int, int]) -> np.ndarray:
    """The pixels (H, W, 3) uint8 as Detectron2 sees them: EXIF rotation applied, alpha dropped.

    Grey is repeated thrice, palettes are looked up. Images with more than 8 bits a channel are
    refused, as the choice of the range that is kept belongs to the user (16-bit RGB in PNG files is
    read by its high byte, which Pillow does by itself).

    Args:
        size: (width, height) that the COCO file gives.

    Raises:
        DatasetError: not found, unreadable, of another size, or of more than 8 bits.
    """
    try:
        with any_size(), Image.open(path) as image:
            if image.mode not in EIGHT_BIT:
                raise DatasetError(
                    f"{path}: pixels of mode {image.mode}, more than 8 bits; scale the range that "
                    "matters to 0..255 and write it as 8-bit grey or RGB first"
                )
            # it would copy an image that needs nothing, and images may be huge
            pixels = _pixels(ImageOps.exif_transpose(image) if _orientation(image) != 1 else image)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such image; is --images the right folder?") from error
    except DatasetError:
        raise
    except Exception as error:  # Pillow raises many kinds on broken files
        raise DatasetError(f"{path}: unreadable ({error}); fetch it again") from error
    found = pixels.shape[1], pixels.shape[0]
    if found != tuple(size):
        raise DatasetError(
            f"{path}: {found[0]} x {found[1]} pixels, the COCO file says {size[0]} x {size[1]}; "
            "correct width and height there, or fetch the image again"
        )
    return pixels


def _pixels(image: Image.Image) -> np.ndarray:
    """In strips: as a whole, Pillow holds an image of 20,000 x 20,000 four times at once."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        pixels[top : top + STRIP] = np.asarray(strip.convert("RGB"))
    return pixels


def _orientation(image: Image.Image) -> int:
    """EXIF's number: 1 is upright, above 4 the sides are swapped."""
    return image.getexif().get(0x0112, 1)


@contextmanager
def any_size() -> Iterator[None]:
    """Lift Pillow's limit of 179 million pixels: DOTA-v2.0 has images of 20,000 x 20,000."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def write_rgb(path: Path, pixels: np.ndarray) -> None:
    """Write (H, W, 3) uint8 as PNG or JPEG by the name's ending; all or nothing.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f".{path.stem}.draft{path.suffix}")
    if not cv2.imwrite(str(draft), pixels[:, :, ::-1], FORMATS[path.suffix[1:]]):
        raise OSError(f"{path}: cannot be written; is the disk full?")
    draft.replace(path)
