"""The pictures of a source, opened by what reads them best."""

import logging
import os
from collections.abc import Iterator
from dataclasses import replace

from d2freq.errors import DatasetError
from d2freq.inference.detections import Picture
from d2freq.inference.sources.decoded import Decoded, DecodedSamples, read_decoded
from d2freq.inference.sources.raster import RASTERS, has_rasterio, open_raster
from d2freq.inference.sources.source import OpenPicture, Source
from d2freq.inference.sources.video import open_frames
from d2freq.utils.extras import install
from d2freq.utils.pixels import Look, PixelReader, look_at

__all__ = ["open_source"]

logger = logging.getLogger(__name__)


def open_source(
    source: Source, first_id: int, *, reader: PixelReader | None = None
) -> Iterator[OpenPicture]:
    """The picture of a file, or each frame of a video, open until the next is asked for.

    A raster's windows are read from the file where rasterio is installed. Whatever else is
    decoded once and kept while it is open.

    Args:
        first_id: the picture's image_id where the source has none; a video's frames count on.
        reader: of a model that takes other depths and bands; None: of one that takes 8-bit RGB.

    Raises:
        DatasetError: the file is missing, damaged, of other bits or bands than are read, or of
            another size than the COCO file says.
    """
    image_id = first_id if source.image_id is None else source.image_id
    if source.video and reader is not None:
        raise DatasetError(
            f"{source.path}: a video has 8-bit RGB, and the model reads by INPUT.PIXELS; write its "
            "frames as pictures, or search with a model of RGB"
        )
    if source.video:
        yield from open_frames(source.path, name=source.name, first_id=image_id)
        return
    look = look_at(source.path)
    if _in_windows(source.path, look):
        with open_raster(source.path, name=source.name, image_id=image_id, reader=reader) as opened:
            _check_size(source, opened.picture)
            opened.picture = replace(opened.picture, unread=look.unread)
            yield opened
    elif reader is not None:
        samples = reader.open(source.path, source.size)
        height, width = samples.values.shape[:2]
        picture = Picture(source.name, source.path, width, height, image_id, unread=look.unread)
        yield DecodedSamples(picture, samples, reader)
    else:
        pixels, something = read_decoded(source.path, source.size)
        height, width = pixels.shape[:2]
        picture = Picture(source.name, source.path, width, height, image_id, unread=look.unread)
        yield Decoded(picture, pixels, something)


def _in_windows(path: str, look: Look) -> bool:
    if os.path.splitext(path)[1].lower() not in RASTERS or not os.path.isfile(path):
        return False
    if not has_rasterio():
        logger.warning(
            "%s: without the package rasterio it is decoded whole, and its place on the earth is "
            "not read: %s",
            path,
            install("geo"),
        )
        return False
    # GDAL leaves pixels as they lie in the file; such photographs are small
    return not look.turned


def _check_size(source: Source, picture: Picture) -> None:
    found = picture.width, picture.height
    if source.size is not None and found != source.size:
        raise DatasetError(
            f"{source.path}: {found[0]} x {found[1]} pixels, the COCO file says {source.size[0]} x "
            f"{source.size[1]}; correct width and height there, or fetch the image again"
        )
