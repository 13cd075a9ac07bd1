"""A picture as Python code has it, a path, an array or a picture of Pillow, opened as a source is.

Shape legend: H x W pixels, B bands.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from d2freq.errors import DatasetError, UserError
from d2freq.inference.detections import Picture
from d2freq.inference.sources.decoded import Decoded, DecodedSamples
from d2freq.inference.sources.open import open_source
from d2freq.inference.sources.source import OpenPicture, Source
from d2freq.utils.choices import choice as one_of
from d2freq.utils.choices import did_you_mean
from d2freq.utils.pixels import PixelReader

__all__ = ["open_any"]

logger = logging.getLogger(__name__)

Image = str | os.PathLike | np.ndarray | Any  # Any: a picture of Pillow


def open_any(
    image: Image, channel_order: str, reader: PixelReader | None = None
) -> Iterable[OpenPicture]:
    """The picture, open to be searched in windows; see Detector.__call__.

    Raises:
        UserError: another kind of array, a missing or unreadable file, an unknown word.
    """
    if isinstance(image, str | os.PathLike):
        path = os.fspath(image)
        if not os.path.exists(path):
            raise DatasetError(f"{path}: no such image{_near(path)}")
        return _tell_of_pages(
            open_source(Source(os.path.basename(path), path), first_id=1, reader=reader)
        )
    if not isinstance(image, np.ndarray):
        if not hasattr(image, "convert"):
            raise UserError(
                f"a picture is a path, an array or a picture of Pillow, not {type(image).__name__}"
            )
        # of more than 8 bits Pillow's own modes hold the numbers, a conversion does not
        deep = image.mode.startswith(("I", "F")) or reader is not None
        image, channel_order = np.asarray(image if deep else image.convert("RGB")), "RGB"
    if reader is not None:
        return [_from_samples(image, channel_order, reader)]
    return [_from_array(image, channel_order)]


def _from_samples(pixels: np.ndarray, channel_order: str, reader: PixelReader) -> DecodedSamples:
    """An array of the file's numbers, (H, W) or (H, W, B), as the reader would read it."""
    one_of(channel_order, ("RGB", "BGR"), key="channel_order")
    if pixels.ndim not in (2, 3) or not pixels.size or pixels.dtype.kind not in "uif":
        raise UserError(
            f"a picture of shape {pixels.shape} and type {pixels.dtype}: arrays are (H, W) or "
            "(H, W, bands) of numbers"
        )
    values = pixels.reshape(*pixels.shape[:2], -1)
    if channel_order == "BGR" and values.shape[2] == 3:
        values = values[:, :, ::-1]
    samples = reader.of_values(values)
    height, width = values.shape[:2]
    return DecodedSamples(Picture("array", "", width, height, 1), samples, reader)


def _near(path: str) -> str:
    """What may have been meant, of the files that lie where the picture should be."""
    folder, name = os.path.split(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f"; there is no folder {folder} either"
    return did_you_mean(name, os.listdir(folder), cutoff=0.7)


def _from_array(pixels: np.ndarray, channel_order: str) -> Decoded:
    one_of(channel_order, ("RGB", "BGR"), key="channel_order")
    grey = pixels.ndim == 2
    if pixels.dtype != np.uint8 or not (grey or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise UserError(
            f"a picture of shape {pixels.shape} and type {pixels.dtype}: arrays are (H, W, 3) or "
            "(H, W) of uint8, 0 to 255; a model of INPUT.PIXELS takes other numbers and bands"
        )
    if not pixels.size:
        raise UserError(f"a picture of shape {pixels.shape} has no pixels")
    if grey:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    elif channel_order == "BGR":
        pixels = pixels[:, :, ::-1]
    height, width = pixels.shape[:2]
    return Decoded(Picture("array", "", width, height, 1), pixels)


def _tell_of_pages(pictures: Iterable[OpenPicture]) -> Iterator[OpenPicture]:
    for opened in pictures:
        if opened.picture.unread:
            logger.warning(
                "%s holds %d pictures: the first alone is searched",
                *(opened.picture.path, opened.picture.unread + 1),
            )
        yield opened
