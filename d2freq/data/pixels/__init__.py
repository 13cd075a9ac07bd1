"""Pictures of many bits or bands on their way to a model: INPUT.PIXELS and what follows from it."""

from d2freq.data.pixels.config import pixel_keys, reader_of
from d2freq.data.pixels.mapper import PixelDatasetMapper
from d2freq.data.pixels.measure import measure_range

__all__ = ["PixelDatasetMapper", "measure_range", "pixel_keys", "reader_of"]
