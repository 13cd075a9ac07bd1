"""Pictures as one plane of grey, to be compared with each other."""

import os

import numpy as np

from d2freq.errors import DatasetError
from d2freq.utils.pixels.layout import read_layout
from d2freq.utils.pixels.preview import read_preview

__all__ = ["read_grey"]


def read_grey(path: str | os.PathLike) -> np.ndarray | None:
    """(H, W) uint8, turned as its EXIF tag says; None where it cannot be read.

    What has more bits or bands than 8-bit RGB is stretched first: its high byte would be flat.
    """
    import cv2

    if read_layout(path).plain:
        return cv2.imread(os.fspath(path), cv2.IMREAD_GRAYSCALE)
    try:
        return cv2.cvtColor(read_preview(path), cv2.COLOR_RGB2GRAY)
    except DatasetError:
        return None
