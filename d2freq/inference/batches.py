"""Tiles of one size together, whatever picture they are of, so that no padding changes an answer.

Which tiles make a batch depends on their order and sizes alone, and a run that goes on behind whole
batches makes the same ones again: resumed, it gives the same bytes.
"""

from collections.abc import Iterator

from d2freq.inference.parts import Tile
from d2freq.inference.search import Prepared

__all__ = ["Batches"]

WAITING = 4  # batches' worth of tiles that wait for others of their size


class Batches:
    """Collects tiles.

    Args:
        size: of a batch.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: dict[tuple[int, ...], list[tuple[Tile, Prepared]]] = {}

    def add(self, tile: Tile, pixels: Prepared) -> Iterator[list[tuple[Tile, Prepared]]]:
        """Take a tile in; gives each batch that is full, or has to go for others to have room."""
        shape = pixels.pixels.shape
        group = self._waiting.setdefault(shape, [])
        group.append((tile, pixels))
        if len(group) == self._size:
            yield self._waiting.pop(shape)
        elif sum(map(len, self._waiting.values())) > WAITING * self._size:
            oldest = next(iter(self._waiting))
            yield self._waiting.pop(oldest)

    def rest(self) -> Iterator[list[tuple[Tile, Prepared]]]:
        """What is left, as smaller batches."""
        while self._waiting:
            yield self._waiting.pop(next(iter(self._waiting)))
