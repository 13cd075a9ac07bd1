"""Pictures of any depth to look at: 8-bit RGB, stretched where the file has more."""

import os

import numpy as np

from d2freq.utils.pixels.eight_bit import read_rgb
from d2freq.utils.pixels.layout import read_layout
from d2freq.utils.pixels.reader import IMAGE, PixelReader

__all__ = ["STRETCH", "preview_reader", "read_preview"]

STRETCH = (0.5, 99.5)  # percentiles for the eye, which a few white pixels do not disturb


def preview_reader(path: str | os.PathLike) -> PixelReader | None:
    """What stretches a deep picture for the eye; None for 8-bit grey or RGB, which needs nothing.

    Each band lies between its own percentiles; the first three of them are shown, or the only one.
    """
    layout = read_layout(path)
    if layout.plain:
        return None
    shown = [band + 1 for band in layout.colours]
    bands = shown[:3] if len(shown) >= 3 else shown[:1]
    return PixelReader(IMAGE, bands=bands, percentiles=STRETCH)


def read_preview(path: str | os.PathLike, reader: PixelReader | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a picture, turned as its EXIF tag says.

    Args:
        reader: how a model sees it; None: see ``preview_reader``.

    Raises:
        DatasetError: the file is missing or broken.
    """
    reader = reader or preview_reader(path)
    return read_rgb(path) if reader is None else reader.to_rgb(reader.read(path))
