"""How much there is to search, from headers alone, for a progress bar with the time left."""

import os
from collections.abc import Sequence

from d2freq.inference.sources.raster import RASTERS, has_rasterio, raster_size
from d2freq.inference.sources.source import Source
from d2freq.inference.sources.video import frame_count
from d2freq.inference.tiling.plan import TilePlan
from d2freq.utils.pixels import look_at

__all__ = ["count_tiles"]

LOOKS = 2000  # files whose headers are read; beyond, the mean of these stands for the others


def count_tiles(sources: Sequence[Source], plan: TilePlan, limit: int = 0) -> int:
    """Tiles of all pictures, an estimate where there are thousands or a video.

    Args:
        limit: of pictures; 0 takes all.
    """
    count, pictures = 0, 0
    looked = 0
    for source in sources[:LOOKS]:
        if limit and pictures >= limit:
            break
        looked += 1
        if source.video:
            frames = frame_count(source.path)
            frames = min(frames, limit - pictures) if limit else frames
            pictures += frames
            count += frames  # they are rarely larger than a tile
        else:
            pictures += 1
            size = source.size or _size(source.path)
            count += len(plan.windows(size)) if min(size) else 0
    left = max(0, min(len(sources), limit or len(sources)) - looked)
    return count + round(left * count / max(looked, 1)) if looked == LOOKS else count


def _size(path: str) -> tuple[int, int]:
    """(0, 0) of what cannot be read; reading it will tell why."""
    if os.path.splitext(path)[1].lower() in RASTERS and has_rasterio():
        return raster_size(path)
    return look_at(path).size
