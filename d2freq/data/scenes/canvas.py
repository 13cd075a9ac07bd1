"""The canvas of a scene: supersampled colour, who owns each pixel, and what stands where.

All coordinates are final pixels (x to the right, y down, floats allowed); the canvas paints at
``SUPERSAMPLE`` times that, so that an object of two pixels still has a shape and soft edges.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

SUPERSAMPLE = 4  # a power of two: box edges are then exact in decimal (quarter pixels)
GROUND, WATER, ROAD, PAVED, BLOCKED = range(5)  # zones, in the order in which things are built


@dataclass
class Patch:
    """A rectangle of the canvas and the pixels in it that a shape covers."""

    window: tuple[slice, slice]
    mask: np.ndarray  # (h, w) bool


@dataclass
class Canvas:
    """A square scene of ``size`` pixels in the making.

    Attributes:
        rng: the only source of randomness of this scene.
        sun: direction in which shadows fall; its length is the shadow of a height of one pixel.
        image: (S*size, S*size, 3) uint8, BGR.
        owner: (S*size, S*size) int16, the object that a pixel shows, 0 where none.
        zone: (S*size, S*size) uint8, what may be placed where.
    """

    size: int
    rng: np.random.Generator
    sun: np.ndarray = field(init=False)
    image: np.ndarray = field(init=False)
    owner: np.ndarray = field(init=False)
    zone: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        side = self.size * SUPERSAMPLE
        self.image = np.zeros((side, side, 3), np.uint8)
        self.owner = np.zeros((side, side), np.int16)
        self.zone = np.zeros((side, side), np.uint8)
        azimuth = self.rng.uniform(0, 2 * np.pi)
        self.sun = self.rng.uniform(0.5, 1.3) * np.array([np.cos(azimuth), np.sin(azimuth)])

    def some(self, low: int, high: int) -> int:
        """A random number from ``low`` to below ``high``."""
        return int(self.rng.integers(low, high))

    def polygon(self, points: np.ndarray) -> Patch | None:
        """The pixels inside a polygon of (N, 2) points, or None where it lies outside."""
        scaled = np.asarray(points, np.float64) * SUPERSAMPLE
        low = np.maximum(np.floor(scaled.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(scaled.max(0)).astype(int) + 1, self.image.shape[0])
        if (low >= high).any():
            return None
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        # pixel k covers k..k+1 while OpenCV's pixel centres are whole numbers; 4 fraction bits
        fixed = np.round((scaled - low - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 1, lineType=cv2.LINE_8, shift=4)
        if not mask.any():
            return None
        return Patch((slice(low[1], high[1]), slice(low[0], high[0])), mask.astype(bool))

    def paint(self, points, colour, *, grain: float = 3.0, opacity: float = 1.0) -> Patch | None:
        """Fill a polygon with a BGR colour, a little uneven (``grain`` is its deviation)."""
        patch = self.polygon(points)
        if patch is not None:
            view = self.image[patch.window]
            count = int(patch.mask.sum())
            fill = np.asarray(colour, np.float32) + self.rng.normal(0, grain, (count, 1))
            if opacity < 1.0:
                fill = opacity * fill + (1 - opacity) * view[patch.mask]
            view[patch.mask] = np.clip(fill, 0, 255).astype(np.uint8)
        return patch

    def shade(self, points, factor: float) -> None:
        """Darken what lies under a polygon, as a shadow does."""
        patch = self.polygon(points)
        if patch is not None:
            view = self.image[patch.window]
            view[patch.mask] = (view[patch.mask] * np.float32(factor)).astype(np.uint8)

    def shadow(self, points, height: float, factor: float = 0.5) -> None:
        """The shadow that a convex body of ``height`` pixels over ``points`` throws."""
        points = np.asarray(points, np.float32)
        both = np.concatenate([points, points + np.float32(height) * self.sun.astype(np.float32)])
        self.shade(cv2.convexHull(both)[:, 0], factor)

    def mark(self, points, zone: int) -> None:
        """Say what stands on a polygon."""
        patch = self.polygon(points)
        if patch is not None:
            self.zone[patch.window][patch.mask] = zone

    def is_free(self, points, zones: tuple[int, ...]) -> bool:
        """True where a polygon lies inside the picture and on the given zones only."""
        points = np.asarray(points)
        if (points < 0).any() or (points > self.size).any():
            return False
        patch = self.polygon(points)
        return patch is not None and bool(np.isin(self.zone[patch.window][patch.mask], zones).all())


def rectangle(centre, length: float, width: float, angle: float) -> np.ndarray:
    """Corners (4, 2) of a rectangle whose ``length`` runs along ``angle`` (radians)."""
    unit = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return place(unit * [length, width], centre, angle)


def ellipse(centre, length: float, width: float, angle: float = 0.0, *, wobble=None) -> np.ndarray:
    """Outline of an ellipse; ``wobble`` (N,) scales the radius and gives the number of points."""
    radius = np.ones(24) if wobble is None else np.asarray(wobble)
    turn = np.linspace(0, 2 * np.pi, len(radius), endpoint=False)
    unit = 0.5 * radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    return place(unit * [length, width], centre, angle)


def place(points: np.ndarray, centre, angle: float) -> np.ndarray:
    """Turn (N, 2) points by ``angle`` about the origin and move them to ``centre``."""
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]]) + np.asarray(centre)
