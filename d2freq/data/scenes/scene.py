"""One synthetic aerial scene with tiny objects. dataset.py writes a data set of them.

Each picture depends on (seed, split, index, size) alone, so the same seed gives the same bytes at
any number of pictures and processes.
"""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from d2freq.data.scenes.canvas import SUPERSAMPLE, Canvas
from d2freq.data.scenes.ground import fractal
from d2freq.data.scenes.outlines import outlines
from d2freq.data.scenes.themes import THEMES, Population

VERSION = 1  # raised whenever the same seed would give other pictures


@dataclass(frozen=True)
class Scene:
    """One picture, (size, size, 3) uint8 BGR, and its objects.

    ``boxes`` are (x, y, w, h) in pixels, exact to a quarter pixel and tight around the visible
    part of each object; ``owner`` shows those parts, (S*size, S*size) int16, k + 1 where object k
    is seen.
    """

    image: np.ndarray
    kinds: list[str]
    boxes: list[list[float]]
    owner: np.ndarray

    def segmentation(self, number: int) -> list[list[float]]:
        """Polygons x0, y0, x1, ... around the visible part of object ``number``, as exact."""
        x, y, w, h = (round(side * SUPERSAMPLE) for side in self.boxes[number])
        rings = outlines(self.owner[y : y + h, x : x + w] == number + 1)
        return [((ring + [x, y]) / SUPERSAMPLE).ravel().tolist() for ring in rings]


def render_scene(seed: int, split: str, index: int, size: int = 256) -> Scene:
    """Render the picture ``index`` of ``split``.

    Examples:
        >>> from d2freq.data.scenes.scene import render_scene
        >>> scene = render_scene(seed=0, split="train", index=0, size=64)
        >>> scene.image.shape, len(scene.boxes) == len(scene.kinds)
        ((64, 64, 3), True)
    """
    rng = np.random.default_rng([seed, zlib.crc32(split.encode()), index])
    theme = rng.choice(len(THEMES), p=list(THEMES.values()))
    canvas = Canvas(size, rng)
    people = Population(canvas)
    list(THEMES)[theme](canvas, people)
    image = _photograph(canvas)
    rows, columns = np.nonzero(canvas.owner)
    owners = canvas.owner[rows, columns]
    boxes = []
    for number in range(1, len(people.kinds) + 1):  # each is in view: trees leave enough of it
        own = owners == number
        x, y = columns[own].min(), rows[own].min()
        w, h = columns[own].max() + 1 - x, rows[own].max() + 1 - y
        boxes.append([float(side) / SUPERSAMPLE for side in (x, y, w, h)])
    return Scene(image, people.kinds, boxes, canvas.owner)


def _photograph(canvas: Canvas) -> np.ndarray:
    """From the canvas to a photograph: light, haze, lens blur and sensor noise."""
    rng, size = canvas.rng, canvas.size
    photo = cv2.resize(canvas.image, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    light = 1 + 0.05 * fractal(rng, size, 2, 2)
    if rng.random() < 0.15:  # the shadow of a cloud
        light *= 1 - 0.35 * np.clip(fractal(rng, size, 2, 3) - 0.4, 0, 1)
    photo *= light[..., None]
    cast = rng.uniform(0.94, 1.06, 3).astype(np.float32)
    haze = rng.uniform(0, 0.12)
    photo = (1 - haze) * photo * cast * rng.uniform(0.9, 1.15) + haze * 190
    photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.35, 0.75)), np.float32)
    noise = rng.normal(0, rng.uniform(1.5, 4.5), photo.shape)
    noise += rng.normal(0, rng.uniform(0.5, 2.5), (size, size, 1))
    return np.clip(np.round(photo + noise), 0, 255).astype(np.uint8)
