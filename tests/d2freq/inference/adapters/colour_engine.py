"""An engine that tells red from blue, and a picture with a square of each."""

from collections.abc import Sequence

import numpy as np

from d2freq.inference import Detections
from d2freq.inference.engines.engine import ModelAbout

NAMES = ("red", "blue")
# class, corners: the red one lies across what overlapping slices of 64 px share
RED_AND_BLUE = [("blue", 100, 80, 108, 86), ("red", 50, 20, 60, 28)]


def red_and_blue() -> np.ndarray:
    """(112, 128, 3) uint8 RGB, black but for the two."""
    pixels = np.zeros((112, 128, 3), np.uint8)
    for name, x0, y0, x1, y1 in RED_AND_BLUE:
        pixels[y0:y1, x0:x1, 0 if name == "red" else 2] = 255
    return pixels


class ColourEngine:
    """Finds the one box of each colour on RGB pixels, with score 0.9."""

    about = ModelAbout(names=NAMES, channel_order="BGR", stride=4)

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        """See d2freq.inference.engines.engine.Engine."""
        return [self._search(pixels) for pixels in pictures]

    def _search(self, pixels: np.ndarray) -> Detections:
        boxes, classes = [], []
        for number, channel in enumerate((0, 2)):
            y, x = np.nonzero(pixels[:, :, channel] > 127)
            if len(x):
                boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
                classes.append(number)
        return Detections(
            np.array(boxes, np.float64).reshape(-1, 4),
            np.full(len(boxes), 0.9),
            np.array(classes, np.int64),
            NAMES,
        )
