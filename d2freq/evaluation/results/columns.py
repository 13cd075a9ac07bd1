"""Detections gathered row by row from text files, where they are as few as people print."""

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from d2freq.evaluation.coco.guard import DetectionError, Detections

__all__ = ["Columns", "read_numbers"]


@dataclass
class Columns:
    """Rows of what a detection is; ``notes`` counts what was left out or changed.

    ``places`` are file and line, or entry, of each row, for messages.
    """

    image_ids: list[int] = field(default_factory=list)
    category_ids: list[int] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, image: int, category: int, box: tuple, score: float, place: str) -> None:
        """One detection; ``box`` is x, y, width, height in pixels."""
        self.image_ids.append(image)
        self.category_ids.append(category)
        self.boxes.append(box)
        self.scores.append(score)
        self.places.append(place)

    def detections(self) -> Detections:
        """All of them as arrays."""
        return Detections(
            np.array(self.image_ids, np.int64),
            np.array(self.category_ids, np.int64),
            np.array(self.boxes, np.float64).reshape(-1, 4),
            np.array(self.scores, np.float64),
        )


def read_numbers(words: list[str], place: str) -> list[float]:
    """Finite numbers from their text.

    Raises:
        DetectionError: a word is none; ``place`` begins the message.
    """
    numbers = []
    for word in words:
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise DetectionError(f"{place}: {word!r} is no number; write the file again")
        numbers.append(number)
    return numbers
