"""The range of a data set: percentiles over the pictures that are trained on."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from d2freq.errors import UserError
from d2freq.utils.pixels import PixelReader, read_samples
from d2freq.utils.pixels.reader import DATASET
from d2freq.utils.pixels.value_range import Counts

__all__ = ["PICTURES", "measure_range", "measured"]

logger = logging.getLogger(__name__)

PICTURES = 200  # that are read at most, at even steps through the data sets


def measured(reader: PixelReader, names: Sequence[str]) -> PixelReader:
    """The reader itself, or where its range is the data set's, one with the range in numbers."""
    if reader.range != DATASET:
        return reader
    if not names:
        raise UserError(
            "INPUT.PIXELS.RANGE is 'dataset', and no data set to train on is named: give the range "
            "that the training's config.yaml has"
        )
    return replace(reader, range=_measure(reader, tuple(names)))


def measure_range(reader: PixelReader, files: Sequence[str]) -> list[list[float]]:
    """[low, high] of each band: percentiles over all pixels of some files.

    Args:
        reader: says which bands, and which percentiles.
        files: pictures; PICTURES of them at even steps are read.

    Raises:
        DatasetError: one cannot be read, or has other bands.
    """
    places = np.unique(
        np.linspace(0, len(files) - 1, min(PICTURES, len(files))).round().astype(int)
    )
    counts: Counts | None = None
    for place in places.tolist():
        values, layout = read_samples(files[place])
        bands = reader.select(layout, files[place]).bands
        if counts is None:
            pixels = len(places) * values.shape[0] * values.shape[1]
            counts = Counts(len(bands), nodata=layout.nodata, total=pixels)
        counts.add(values[:, :, list(bands)])
    found = np.zeros((1, 2)) if counts is None else counts.percentiles(*reader.percentiles)
    for low, high in found:
        if not low < high:
            raise UserError(
                f"{files[0] if len(files) else 'no picture'} and the others have one value alone, "
                f"{low:g}: give INPUT.PIXELS.RANGE in numbers"
            )
    return found.tolist()


@lru_cache(maxsize=8)
def _measure(reader: PixelReader, names: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    from detectron2.data import DatasetCatalog

    files = [record["file_name"] for name in names for record in DatasetCatalog.get(name)]
    found = measure_range(reader, files)
    logger.info("INPUT.PIXELS.RANGE 'dataset' of %s is %s", ", ".join(names), found)
    return tuple((low, high) for low, high in found)
