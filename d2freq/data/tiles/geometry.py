"""Where the tiles of an image lie, and how coordinates go from the original to a tile and back.

Shape legend: N boxes. A box is (x, y, width, height) in pixels, pixel edges at whole numbers. A
tile is cut at offset (x, y) from the original scaled by ``scale``, so that its point (u, v) is the
point ((u + x) / scale, (v + y) / scale) of the original, exactly: see resize_exactly.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from d2freq.errors import UserError


@dataclass(frozen=True)
class Window:
    """A tile's rectangle in the scaled image, whole pixels."""

    x: int
    y: int
    width: int
    height: int


def origins(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side of ``length`` pixels; together they cover every pixel.

    The step is ``tile - overlap``. The last tile is shifted inward so that it ends at the border,
    hence overlaps its neighbour by ``overlap`` or more. A side shorter than a tile has one, at 0.

    Raises:
        UserError: ``overlap`` is not from 0 to below ``tile``.

    Examples:
        >>> from d2freq.data.tiles.geometry import origins
        >>> origins(1000, 400, 100)
        [0, 300, 600]
        >>> origins(900, 400, 100), origins(300, 400, 100)
        ([0, 300, 500], [0])
    """
    if not 0 <= overlap < tile:
        raise UserError(f"overlap {overlap} of tiles of {tile} pixels: it is from 0 to {tile - 1}")
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile - overlap), length - tile]


def windows(size: tuple[int, int], tile: tuple[int, int], overlap: tuple[int, int]) -> list[Window]:
    """The tiles of an image, row by row; (width, height) each. None is larger than the image."""
    width, height = (min(a, b) for a, b in zip(size, tile, strict=True))
    return [
        Window(x, y, width, height)
        for y in origins(size[1], tile[1], overlap[1])
        for x in origins(size[0], tile[0], overlap[0])
    ]


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height of the scaled image: the border pixel may be half covered."""
    ratio = _ratio(scale)
    return math.ceil(size[0] * ratio), math.ceil(size[1] * ratio)


def resize_exactly(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Scale (H, W, C) of any type so that point p becomes ``p * scale``, also where H or W is odd.

    Rounding the size alone would change the scale a little and shift far boxes by up to half a
    pixel. So the border is repeated until the sides are whole after scaling, then cut off.
    """
    ratio = _ratio(scale)
    if ratio == 1:
        return pixels
    height, width = pixels.shape[:2]
    right, bottom = -width % ratio.denominator, -height % ratio.denominator
    if pixels.shape[2] not in (1, 3):  # more channels than OpenCV takes at once
        planes = np.split(pixels, pixels.shape[2], axis=2)
        return np.concatenate([resize_exactly(plane, scale) for plane in planes], axis=2)
    if right or bottom:
        pixels = np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="edge")
    size = int((width + right) * ratio), int((height + bottom) * ratio)
    # averaging keeps what a tiny object leaves in each pixel; enlarging has nothing to average
    method = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    wide, high = scaled_size((width, height), scale)
    resized = cv2.resize(pixels, size, interpolation=method)
    return resized.reshape(*resized.shape[:2], -1)[:high, :wide]


def _ratio(scale: float) -> Fraction:
    ratio = Fraction(scale).limit_denominator(1000)
    if ratio <= 0 or abs(float(ratio) - scale) > 1e-9:
        raise UserError(f"scale {scale}: a scale is above 0 with at most three decimals, like 0.5")
    return ratio


def to_tile(xywh: np.ndarray, *, x, y, scale) -> np.ndarray:
    """Boxes (N, 4) of the original in pixels of the tile; offsets and scale scalar or (N,).

    Examples:
        >>> import numpy as np
        >>> from d2freq.data.tiles.geometry import to_tile
        >>> to_tile(np.array([[100.0, 60.0, 8.0, 6.0]]), x=40, y=20, scale=0.5).tolist()
        [[10.0, 10.0, 4.0, 3.0]]
    """
    moved = np.array(xywh, np.float64).reshape(-1, 4)
    moved *= np.asarray(scale, np.float64).reshape(-1, 1)
    moved[:, 0] -= x
    moved[:, 1] -= y
    return moved
