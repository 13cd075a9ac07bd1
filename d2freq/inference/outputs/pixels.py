"""Pixels of the pictures that a run has searched, once more, for outputs that show them."""

from collections.abc import Iterator

import numpy as np

from d2freq.data.tiles.geometry import Window as Rectangle
from d2freq.errors import DatasetError
from d2freq.inference.detections import Picture
from d2freq.inference.outputs.run_info import Window
from d2freq.inference.sources import OpenPicture, Source, open_source
from d2freq.utils.pixels.preview import preview_reader

__all__ = ["PictureReader"]

STRIP = 1 << 24  # pixels that are read at a time: a large picture is never whole in memory


class PictureReader:
    """Reads windows of pictures, in any size; the last picture stays open.

    Pictures asked for one after another, and frames in their order, are decoded once.

    Examples:
        >>> from d2freq.inference.outputs.pixels import PictureReader
        >>> reader = PictureReader()  # reader(picture, (0, 0, 64, 64), (128, 128)) enlarges
    """

    def __init__(self) -> None:
        self._pictures: Iterator[OpenPicture] = iter(())
        self._path = ""
        self._open: OpenPicture | None = None

    def __call__(self, picture: Picture, window: Window, size: tuple[int, int]) -> np.ndarray:
        """What lies in a window, scaled to ``size`` (width, height).

        Returns:
            (height, width, 3) uint8 RGB.

        Raises:
            DatasetError: the picture is gone, damaged, or of another size now.
        """
        import cv2

        opened = self._opened(picture)
        x0, y0, x1, y1 = window
        width, height = size
        strips = max(1, -(-(x1 - x0) * (y1 - y0) // STRIP))
        rows = np.unique(np.linspace(0, height, min(strips, height) + 1).round().astype(int))
        edges = np.round(y0 + rows * (y1 - y0) / height).astype(int)
        result = np.empty((height, width, 3), np.uint8)
        kind = cv2.INTER_AREA if width <= x1 - x0 else cv2.INTER_CUBIC
        for n, top in enumerate(rows[:-1].tolist()):
            start, stop = edges[n : n + 2].tolist()
            pixels = opened.pixels(Rectangle(x0, start, x1 - x0, max(stop - start, 1)))
            part = np.ascontiguousarray(pixels)
            below = int(rows[n + 1])
            result[top:below] = cv2.resize(part, (width, below - top), interpolation=kind)
        return result

    def close(self) -> None:
        """Close the file that is open."""
        self._pictures, self._path, self._open = iter(()), "", None

    def _opened(self, picture: Picture) -> OpenPicture:
        current = self._open.picture if self._open else None
        frame = picture.frame or 0
        if self._path != picture.path or current is None or (current.frame or 0) > frame:
            self.close()
            video = picture.frame is not None
            # of more bits or bands than a screen shows: stretched
            stretch = None if video else preview_reader(picture.path)
            source = Source(picture.name, picture.path, video=video)
            self._pictures = open_source(source, 1, reader=stretch)
            self._open, self._path = next(self._pictures), picture.path
        assert self._open is not None
        while (self._open.picture.frame or 0) < frame:
            self._open = next(self._pictures, None)
            if self._open is None:
                self.close()
                raise DatasetError(f"{picture.path}: has no frame {frame} any more")
        found = self._open.picture.width, self._open.picture.height
        if found != (picture.width, picture.height):
            self.close()
            raise DatasetError(
                f"{picture.path}: {found[0]} x {found[1]} pixels, the detections are of "
                f"{picture.width} x {picture.height}; name the folder of their own pictures"
            )
        return self._open
