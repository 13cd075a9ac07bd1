"""A file that a run searches, and a picture of it that is open: pixels by windows.

Shape legend: h x w a window in pixels of the picture, turned as its EXIF tag says.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from d2freq.data.tiles.geometry import Window
from d2freq.inference.detections import Picture
from d2freq.utils.pixels import PixelReader

__all__ = ["OpenPicture", "Source"]


@dataclass(frozen=True)
class Source:
    """A file with one picture, or a video with many.

    Attributes:
        name: what outputs call it, unique in a run: its path below the folder that was named.
        path: the file, which need not be there: opening it then fails.
        image_id: the COCO file's, None where no COCO file is the source.
        size: (width, height) that the COCO file says, None where nobody says.
        video: whether it is one.
    """

    name: str
    path: str
    image_id: int | None = None
    size: tuple[int, int] | None = None
    video: bool = False


class OpenPicture(ABC):
    """A picture whose windows can be read, one after another.

    Attributes:
        reader: of a model that takes other depths and bands; None: windows are 8-bit RGB.
    """

    picture: Picture
    reader: PixelReader | None = None

    @abstractmethod
    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """(h, w, 3) uint8 RGB, or by the reader (h, w, C) float32; and (h, w) bool: where there
        is something; None: everywhere.
        """

    def read(self, window: Window) -> np.ndarray | None:
        """The pixels of a window, (h, w, 3) uint8 RGB, or by a reader (h, w, C) float32 in the
        model's order; None where it is empty.

        Empty is what the file marks as such in every pixel (nodata, a mask, alpha 0), and a
        window of one single colour, as the borders of a mosaic have without a mark.

        Raises:
            DatasetError: the file is damaged there.
        """
        pixels, something = self._read(window)
        if something is not None and not something.any():
            return None
        # most windows differ in their first row already
        if (pixels[0] == pixels[0, 0]).all() and (pixels == pixels[0, 0]).all():
            return None
        return pixels

    def pixels(self, window: Window) -> np.ndarray:
        """The pixels of a window to look at, (h, w, 3) uint8 RGB, empty or not."""
        pixels = self._read(window)[0]
        return pixels if self.reader is None else self.reader.to_rgb(pixels)

    def channels(self, window: Window) -> np.ndarray:
        """What the model is given of a window, empty or not; see ``read``."""
        return self._read(window)[0]

    def whole(self) -> Window:
        """The window of all pixels."""
        return Window(0, 0, self.picture.width, self.picture.height)
