"""The one interface of everything that runs a model on pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from d2freq.inference.detections import Detections
from d2freq.utils.pixels import PixelReader

__all__ = ["Engine", "ModelAbout"]


@dataclass(frozen=True)
class ModelAbout:
    """What a model wants and gives; an exported file carries it in its metadata.

    Attributes:
        names: its classes, in the order of their numbers.
        channel_order: of the pixels that it takes: "RGB", "BGR", or "L" for one channel.
        channels: of its input.
        pixels: the reader of its pictures (INPUT.PIXELS) as PixelReader's arguments: range, bands,
            order, percentiles; None for pictures of 8 bits.
        short_side, longest_side: to which testing resizes a picture (INPUT.MIN_SIZE_TEST and
            MAX_SIZE_TEST); a short side of 0 leaves pictures as they are.
        train_size: (short side, longest side) that training resized pictures to, (0, 0) where it
            left them as they were or nobody knows.
        crop: (width, height) in pixels of the windows that training cut out of most pictures, None
            without.
        crop_first: whether they were cut out of the picture on disk, and then resized to
            ``train_size``; otherwise out of the resized picture.
        score: the least score that the model itself lets pass.
        divisibility: of the sides that the network pads to.
        stride: pixels of the input to one of the finest features; a picture with a smaller side
            is refused.
    """

    names: tuple[str, ...] = ()
    channel_order: str = "BGR"
    channels: int = 3
    pixels: Mapping[str, Any] | None = None
    short_side: int = 0
    longest_side: int = 0
    train_size: tuple[int, int] = (0, 0)
    crop: tuple[int, int] | None = None
    crop_first: bool = False
    score: float = 0.05
    divisibility: int = 32
    stride: int = 1

    @property
    def reader(self) -> PixelReader | None:
        """What reads its pictures; None where they are 8-bit grey or RGB."""
        return None if self.pixels is None else PixelReader(**self.pixels)


class Engine(Protocol):
    """A detector as a function of a few pictures."""

    about: ModelAbout

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        """Search pictures as large as they are; d2freq.inference.resize has resized them.

        Args:
            pictures: (H, W, 3) uint8 RGB each, of any sizes; the engine itself puts the channels
                in the model's order. Of a model with a reader (H, W, C) float32, as it gives them.

        Returns:
            what was found on each, in pixels of the array.
        """
