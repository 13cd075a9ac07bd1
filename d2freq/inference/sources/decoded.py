"""A picture that is decoded once and kept while its windows are searched: JPEG, PNG, arrays."""

import numpy as np
from PIL import Image, ImageOps

from d2freq.data.tiles.geometry import Window
from d2freq.inference.detections import Picture
from d2freq.inference.sources.source import OpenPicture
from d2freq.utils.pixels import PixelReader, any_size, read_rgb
from d2freq.utils.pixels.decoding import decoding
from d2freq.utils.pixels.reader import OpenSamples

__all__ = ["Decoded", "DecodedSamples", "read_decoded"]


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


class DecodedSamples(OpenPicture):
    """Samples of any depth in memory, in the file's numbers; windows are scaled as they are read.

    Args:
        samples: of the reader's bands.
        reader: the model's.
    """

    def __init__(self, picture: Picture, samples: OpenSamples, reader: PixelReader) -> None:
        self.picture = picture
        self.reader = reader
        self._samples = samples

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        rows = slice(window.y, window.y + window.height)
        columns = slice(window.x, window.x + window.width)
        return self._samples.read(rows, columns), None


def read_decoded(
    path: str, size: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The pixels (H, W, 3) uint8 RGB of a file, and (H, W) bool where alpha is above 0, or None.

    Raises:
        DatasetError: see read_rgb.
    """
    pixels = read_rgb(path, size)
    with decoding(path), any_size(), Image.open(path) as image:
        if not (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
            return pixels, None
        turned = ImageOps.exif_transpose(image)
        alpha = np.asarray(turned.convert("RGBA").getchannel("A"))
    return pixels, None if alpha.all() else alpha > 0
