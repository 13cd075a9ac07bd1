"""Pictures on which a model of 8 bits sees the ranges of its maps.

Shape legend: C channels of the model, H x W of a picture as the model sees it.
"""

from collections.abc import Iterator

import numpy as np
from detectron2.data import DatasetCatalog

from d2freq.data.tiles.geometry import Window
from d2freq.inference.about import check_pictures_fit
from d2freq.inference.engines.engine import ModelAbout
from d2freq.inference.engines.pixels import planes
from d2freq.inference.resize import resized
from d2freq.inference.sources import Source, find_sources, open_source

__all__ = ["calibration_pictures"]

LONGEST = 1024  # of a picture's sides: of a larger one the middle is taken


def calibration_pictures(
    source: str, about: ModelAbout, *, limit: int = 64
) -> Iterator[np.ndarray]:
    """Pictures of a source, spread over it.

    Args:
        source: a registered data set, or what ``find_sources`` takes.
        about: the model that will see them.
        limit: at most so many.

    Returns:
        (1, C, H, W) float32 each, 0 to 255, read when they are asked for.

    Raises:
        UserError: no such source, or pictures do not have the model's channels.
        DatasetError: when asked for, a picture that cannot be read.
    """
    check_pictures_fit(about, "--calibration")
    if source in DatasetCatalog.list():
        names = [record["file_name"] for record in DatasetCatalog.get(source)]
        sources = [Source(name, name) for name in names]
    else:
        sources = find_sources([source])
    chosen = np.linspace(0, len(sources) - 1, min(limit, len(sources))).astype(int)
    return (_read(sources[place], about) for place in chosen)


def _read(source: Source, about: ModelAbout) -> np.ndarray:
    opened = next(
        open_source(source, first_id=1, reader=about.reader)
    )  # of a video the first frame
    width, height = opened.picture.width, opened.picture.height
    sides = min(width, LONGEST), min(height, LONGEST)
    window = Window((width - sides[0]) // 2, (height - sides[1]) // 2, *sides)
    pixels = resized(opened.channels(window), about, full=(height, width))
    return planes(pixels, about.channel_order)[None].astype(np.float32)
