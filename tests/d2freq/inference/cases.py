"""Made-up results of a run, with all that makes the life of a writer hard."""

from dataclasses import replace

import numpy as np

from d2freq.inference.detections import Detections, Picture, PictureResult

NAMES = ("ship", "person")


def found(*rows: tuple, names: tuple[str, ...] = NAMES) -> Detections:
    """Detections of rows (x0, y0, x1, y1, score, class), best first as a run gives them."""
    table = np.array(sorted(rows, key=lambda row: -row[4]), float).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), names)


def picture(name: str, image_id: int, size: tuple[int, int] = (200, 100), **about) -> Picture:
    """A picture of that name at a path of the same name."""
    return Picture(name, about.pop("path", name), *size, image_id, **about)


def three_pictures(names: tuple[str, ...] = NAMES) -> list[PictureResult]:
    """Two of the same stem in two folders, the second empty, and one that could not be read."""
    first = found((10.25, 20.5, 18.75, 31, 0.9, 0), (0, 0, 5, 4, 0.25, 1))
    return [
        PictureResult(picture("a/scene.png", 7), replace(first, names=names)),
        PictureResult(picture("b/scene.png", 3), Detections.none(names)),
        PictureResult(picture("c.png", 9, (0, 0)), Detections.none(names), "no such file"),
    ]
