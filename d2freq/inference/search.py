"""An engine on the tiles of pictures: resized as testing does, in batches, boxes put back.

Shape legend: H x W of a tile in the picture, h x w of it as the network sees it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from d2freq.data.tiles.geometry import Window
from d2freq.errors import UserError
from d2freq.inference.detections import Detections
from d2freq.inference.engines.engine import Engine, ModelAbout
from d2freq.inference.resize import boxes_back, resized, resized_shape
from d2freq.inference.tiling import TilePlan

__all__ = [
    "Choice",
    "Prepared",
    "check_large_enough",
    "full_tile",
    "prepare",
    "run_engine",
    "search_arrays",
]


class Choice:
    """Which detections are wanted: of a least score, of some classes.

    Args:
        score: the least.
        classes: numbers; None takes all.
    """

    def __init__(self, score: float = 0.0, classes: Sequence[int] | None = None) -> None:
        self.score = score
        self.classes = None if classes is None else np.array(sorted(set(classes)), np.int64)

    def of(self, found: Detections) -> Detections:
        """Those that are wanted, in the same order."""
        kept = found.scores >= self.score
        if self.classes is not None:
            kept &= np.isin(found.classes, self.classes)
        return found if kept.all() else found[kept]


def search_arrays(
    engine: Engine,
    tiles: Sequence[np.ndarray],
    *,
    full: tuple[int, int] | None = None,
    choice: Choice | None = None,
) -> list[Detections]:
    """What the engine finds on each of a batch, in pixels of each.

    Args:
        tiles: (H, W, 3) uint8 RGB each; of a model of INPUT.PIXELS (H, W) or (H, W, bands) in the
            files' numbers, and under the range "image" each by its own percentiles.
        full: (height, width) of a whole tile where these are tiles: narrower ones at a small
            picture are scaled as much as it. None: each is a picture of its own.
        choice: which detections are wanted, None for all.

    Raises:
        UserError: one is smaller than the stride of the network's features.
    """
    reader = engine.about.reader
    if reader is not None:
        whole = slice(None)
        values = (pixels.reshape(*pixels.shape[:2], -1) for pixels in tiles)
        tiles = [reader.of_values(each).read(whole, whole) for each in values]
    return run_engine(
        engine, [prepare(pixels, engine.about, full=full) for pixels in tiles], choice=choice
    )


class Prepared(NamedTuple):
    """A tile as the network is given it, (h, w, 3) uint8, and the (H, W) that it had."""

    pixels: np.ndarray
    given: tuple[int, int]


def prepare(
    pixels: np.ndarray, about: ModelAbout, *, full: tuple[int, int] | None = None
) -> Prepared:
    """Resize a tile; see search_arrays."""
    height, width = pixels.shape[:2]
    check_large_enough((height, width), about, full=full)
    return Prepared(resized(pixels, about, full=full), (height, width))


def check_large_enough(
    shape: tuple[int, int], about: ModelAbout, *, full: tuple[int, int] | None = None
) -> None:
    """Raise UserError where a tile (H, W) is smaller than the stride of the network's features."""
    if min(resized_shape(shape, about, full=full)) < about.stride:
        raise UserError(
            f"{shape[1]} x {shape[0]} px is less than the model's stride of {about.stride} px; "
            "enlarge the picture"
        )


def run_engine(
    engine: Engine, tiles: Sequence[Prepared], *, choice: Choice | None = None
) -> list[Detections]:
    """What the engine finds on each of a batch, in pixels of each as it was given.

    Raises:
        UserError: the device has not enough memory for them.
    """
    try:
        found = engine([tile.pixels for tile in tiles])
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not _is_full(str(error)):
            raise
        height, width = tiles[0].pixels.shape[:2]
        raise UserError(
            f"not enough memory for {len(tiles)} tiles of {width} x {height} px at once: take a "
            "smaller --batch or a smaller --tile"
        ) from error
    back = [
        boxes_back(own, given=tile.given, seen=tile.pixels.shape[:2])
        for own, tile in zip(found, tiles, strict=True)
    ]
    return back if choice is None else [choice.of(own) for own in back]


def _is_full(message: str) -> bool:
    """Whether an error of torch or of a runtime is about memory."""
    words = ("out of memory", "can't allocate memory", "failed to allocate")
    return any(word in message.lower() for word in words)


def full_tile(plan: TilePlan, windows: Sequence[Window]) -> tuple[int, int] | None:
    """(height, width) of a whole tile; None where a picture has one window."""
    if plan.tile is None or len(windows) == 1:
        return None
    return plan.tile[1], plan.tile[0]
