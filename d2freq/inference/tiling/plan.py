"""Which tiles a picture is cut into: chosen by the user, or by what training saw.

All sizes are (width, height) in pixels of the picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from d2freq.data.tiles.geometry import Window, windows
from d2freq.engine.training_data import TrainingData
from d2freq.errors import UserError
from d2freq.inference.engines.engine import ModelAbout

__all__ = ["TilePlan", "choose_tiles"]

LEAST, MOST = 512, 1280  # of a side that auto chooses: seams cost below, memory above
UNKNOWN = 640  # a side where neither training nor testing says one
SHARE = 0.2  # of a tile that overlaps where nobody knows how large objects are
CONTEXT = 16  # pixels around an object that a detector wants to see
STEP = 8  # overlaps are whole steps
LEAST_OVERLAP = 32


@dataclass(frozen=True)
class TilePlan:
    """How pictures are cut.

    Attributes:
        tile: None where each picture is searched as a whole.
        overlap: of neighbours, at least.
        reason: why, as a sentence that is printed.
    """

    tile: tuple[int, int] | None
    overlap: tuple[int, int] = (0, 0)
    reason: str = ""

    def windows(self, size: tuple[int, int]) -> list[Window]:
        """The tiles of a picture, row by row; one where it is no larger than a tile."""
        if self.tile is None:
            return [Window(0, 0, *size)]
        return windows(size, self.tile, self.overlap)


def choose_tiles(
    tile: str | tuple[int, int] = "auto",
    overlap: float | None = None,
    *,
    about: ModelAbout,
    data: TrainingData | None = None,
    objects: tuple[float, float] | None = None,
) -> TilePlan:
    """The plan for all pictures of a run.

    Args:
        tile: "auto", "none", or a size.
        overlap: below 1 a share of the tile, from 1 on pixels; None chooses: what 99 of 100
            objects do not exceed and 16 pixels around them, from 32 to half a tile, or a fifth of
            the tile where nobody knows how large objects are.
        about: of the model.
        data: what it was trained on, None where nobody knows.
        objects: long sides of the objects to be found, the median and what 99 of 100 do not
            exceed; None takes those of ``data``.

    Raises:
        UserError: no such word, a tile without pixels, or an overlap as large as a tile.
    """
    if tile == "none":
        return TilePlan(None, reason="each picture is searched as a whole")
    if tile == "auto":
        side, why = _side(about, data)
        size = side, side
    elif isinstance(tile, str):
        raise UserError(f"--tile {tile}: auto, none, or a width and a height such as 640 640")
    else:
        if not isinstance(tile, Sequence) or len(tile) != 2:
            raise UserError(f"tile {tile!r}: a width and a height, such as (640, 640)")
        size, why = (int(tile[0]), int(tile[1])), "as asked for"
        if min(size) < 1:
            raise UserError(f"--tile {size[0]} {size[1]}: a tile has at least one pixel")
    if objects is None and data is not None and data.objects:
        objects = data.long_side
    pixels, because = _overlap(size, overlap, objects)
    reason = (
        f"tiles of {size[0]} x {size[1]} px ({why}), overlapping by {_both(pixels)} px ({because})"
    )
    return TilePlan(size, pixels, reason)


def _side(about: ModelAbout, data: TrainingData | None) -> tuple[int, str]:
    """Such that objects have the size in the network that they had in training."""
    picture = data.picture if data is not None else (0, 0)
    if about.short_side:  # each tile is resized to it, as testing resizes a picture
        if about.crop is not None and about.crop_first:
            scale = _scale(about.train_size, about.crop) if about.train_size[0] else 1.0
            return _within(about.short_side / scale), (
                f"training resized crops of {about.crop[0]} x {about.crop[1]} by {scale:.2f}, and "
                f"testing resizes a tile to {about.short_side} px"
            )
        if not min(picture):
            return about.short_side, f"testing resizes pictures to {about.short_side} px"
        trained = about.train_size if about.train_size[0] else (about.short_side, 0)
        scale = _scale(trained, picture)
        side = _within(about.short_side / scale)
        return side, (
            f"training resized pictures of {picture[0]} x {picture[1]} by {scale:.2f}, and testing "
            f"resizes a tile to {about.short_side} px"
        )
    if about.crop is not None:
        side = _within(max(about.crop))
        return side, f"trained on crops of {about.crop[0]} x {about.crop[1]}{_limits(about.crop)}"
    if min(picture):
        side = _within(max(picture))
        return side, f"trained on pictures of {picture[0]} x {picture[1]}{_limits(picture)}"
    return UNKNOWN, "nobody says what it was trained on"


def _scale(edges: tuple[int, int], size: tuple[int, int]) -> float:
    """Of a resize to (short side, longest side), where a longest side of 0 is no limit."""
    scale = edges[0] / min(size)
    return min(scale, edges[1] / max(size)) if edges[1] else scale


def _within(side: float) -> int:
    return int(min(max(side, LEAST), MOST))


def _limits(size: tuple[int, int]) -> str:
    if max(size) < LEAST:
        return f", but not below {LEAST}"
    return f", but not above {MOST}" if max(size) > MOST else ""


def _overlap(
    size: tuple[int, int], given: float | None, objects: tuple[float, float] | None
) -> tuple[tuple[int, int], str]:
    if given is not None:
        if not 0 <= given < min(size):
            raise UserError(
                f"--overlap {given:g}: a share of the tile from 0 to below 1, or pixels from 1 to "
                f"below {min(size)}"
            )
        shares = [round(side * given) if given < 1 else int(given) for side in size]
        return (shares[0], shares[1]), "as asked for"
    if objects is None or not objects[1]:
        pixels = [round(side * SHARE) for side in size]
        return (pixels[0], pixels[1]), "a fifth, as nobody says how large objects are"
    wanted = max(LEAST_OVERLAP, STEP * math.ceil((objects[1] + CONTEXT) / STEP))
    pixels = [min(wanted, side // 2) for side in size]
    return (
        (pixels[0], pixels[1]),
        f"99 of 100 objects are at most {objects[1]:g} px long",
    )


def _both(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]} and {pair[1]}"
