"""An engine that finds bright blobs exactly, and pictures of them: what tiles do can be told."""

from collections.abc import Sequence

import cv2
import numpy as np

from d2freq.inference.detections import Detections
from d2freq.inference.engines.engine import ModelAbout

NAMES = ("red", "green")
DARK = 60  # the ground is below, blobs are 250 in the channel of their class


class BlobEngine:
    """Boxes around connected pixels above 200; red ones are class 0, green ones class 1.

    Attributes:
        batches: how many pictures each call got.
    """

    def __init__(self, **about) -> None:
        self.about = ModelAbout(names=NAMES, channel_order="RGB", **about)
        self.batches: list[int] = []

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        self.batches.append(len(pictures))
        return [self._found(pixels) for pixels in pictures]

    def _found(self, pixels: np.ndarray) -> Detections:
        boxes, classes = [], []
        for number in range(len(NAMES)):
            mask = (pixels[:, :, number] > 200).astype(np.uint8)
            _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
            for x, y, width, height, _ in stats[1:]:
                boxes.append((x, y, x + width, y + height))
                classes.append(number)
        count = len(boxes)
        return Detections(
            np.array(boxes, np.float64).reshape(-1, 4),
            np.full(count, 0.9),
            np.array(classes, np.int64),
            NAMES,
        )


def blob_picture(
    width: int, height: int, *, cell: int = 24, largest: int = 14, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 RGB with a blob in each cell of a grid; and its boxes (N, 4), corners."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, DARK, (height, width, 3), dtype=np.uint8)
    boxes = []
    for top in range(0, height - cell + 1, cell):
        for left in range(0, width - cell + 1, cell):
            w, h = rng.integers(3, largest + 1, 2)
            x, y = left + rng.integers(1, cell - w), top + rng.integers(1, cell - h)
            pixels[y : y + h, x : x + w, len(boxes) % 2] = 250
            boxes.append((x, y, x + w, y + h))
    return pixels, np.array(boxes, np.float64)


def sorted_boxes(boxes: np.ndarray) -> np.ndarray:
    """By their corners, to compare sets of boxes."""
    return boxes[np.lexsort(boxes.T[::-1])]
