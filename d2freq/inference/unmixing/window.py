"""The square of a frame that is looked at, and what lies outside of it.

Shape shorthand: T frames of H x W pixels.
"""

from collections.abc import Sequence

import numpy as np

from d2freq.errors import DatasetError, UserError
from d2freq.inference.unmixing.frames import Frames

__all__ = ["elsewhere", "window_of"]

LARGEST = 33  # pixels a side up to which frames are looked at whole
LEAST = 3  # pixels a side, of which a plane leaves some for targets
CUT = 21  # pixels a side of the window that is cut out of larger ones
BRIGHT = 0.25  # of the window's brightest pixel, from which on others are worth a word
CLEAR = 8.0  # standard deviations of the background that they have at least


def window_of(frames: Frames, crop: Sequence[int] | None) -> tuple[np.ndarray, tuple[int, int]]:
    """The square that is looked at, and the row and column of its first pixel."""
    height, width = frames.values.shape[1:]
    if min(height, width) < LEAST:
        raise DatasetError(
            f"{frames.names[0]} has {width} x {height} pixels; a window has at least {LEAST} a side"
        )
    if crop is None:
        if height == width <= LARGEST:
            return frames.values, (0, 0)
        bright = np.abs(frames.values - np.median(frames.values, (1, 2), keepdims=True)).mean(0)
        row, column = divmod(int(bright.argmax()), width)
        side = min(CUT, height, width)
    else:
        row, column, side = crop
        if not (LEAST <= side <= min(height, width) and 0 <= row < height and 0 <= column < width):
            raise UserError(
                f"--crop {row} {column} {side}: the row and column of its middle and its side, "
                f"{LEAST} to {min(height, width)} pixels, within frames of {width} x {height}"
            )
    top = min(max(row - side // 2, 0), height - side)
    left = min(max(column - side // 2, 0), width - side)
    return frames.values[:, top : top + side, left : left + side], (top, left)


def elsewhere(
    values: np.ndarray, side: int, origin: tuple[int, int], crop: Sequence[int] | None
) -> list[str]:
    """A word on bright places outside of a window that was chosen for the person."""
    if crop is not None or values.shape[1:] == (side, side):
        return []
    mean = (values - np.median(values, (1, 2), keepdims=True)).mean(0)
    spread = 1.4826 * float(np.median(np.abs(mean - np.median(mean))))

    def cover(row: int, column: int) -> float:
        """Take a window out, and give its largest number."""
        own = mean[max(row, 0) : row + side, max(column, 0) : column + side]
        largest = float(own.max())
        own[:] = -np.inf
        return largest

    least = max(BRIGHT * cover(*origin), CLEAR * spread)
    places: list[tuple[int, int]] = []
    while len(places) < 99 and mean.max() > least:
        row, column = divmod(int(mean.argmax()), mean.shape[1])
        places.append((row, column))
        cover(row - side // 2, column - side // 2)
    if not places:
        return []
    row, column = places[0]
    others = f" and {len(places) - 1} places more" if len(places) > 1 else ""
    return [
        f"not looked at: bright pixels at row {row}, column {column}{others} outside of the "
        f"window; --crop {row} {column} {side} looks there"
    ]
