"""A picture that is decoded once and kept while its windows are searched: JPEG, PNG, arrays."""

import numpy as np
from PIL import Image, ImageOps

from d2freq.data.tiles.geometry import Window
from d2freq.errors import DatasetError
from d2freq.inference.detections import Picture
from d2freq.inference.sources.source import OpenPicture
from d2freq.utils.pixels import any_size, read_rgb

__all__ = ["Decoded", "read_decoded"]


class Decoded(OpenPicture):
    """Pixels in memory.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        something: (H, W) bool, where there is a picture; None: everywhere.
    """

    def __init__(
        self, picture: Picture, pixels: np.ndarray, something: np.ndarray | None = None
    ) -> None:
        self.picture = picture
        self._pixels = pixels
        self._something = something

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        rows = slice(window.y, window.y + window.height)
        columns = slice(window.x, window.x + window.width)
        something = None if self._something is None else self._something[rows, columns]
        return self._pixels[rows, columns], something


def read_decoded(
    path: str, size: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The pixels (H, W, 3) uint8 RGB of a file, and (H, W) bool where alpha is above 0, or None.

    Raises:
        DatasetError: see read_rgb.
    """
    pixels = read_rgb(path, size)
    try:
        with any_size(), Image.open(path) as image:
            if not (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
                return pixels, None
            turned = ImageOps.exif_transpose(image)
            alpha = np.asarray(turned.convert("RGBA").getchannel("A"))
    except Exception as error:  # Pillow raises many kinds on broken files
        raise DatasetError(f"{path}: unreadable ({error}); fetch it again, or remove it") from error
    return pixels, None if alpha.all() else alpha > 0
