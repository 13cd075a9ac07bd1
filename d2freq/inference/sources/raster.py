"""A GeoTIFF, read in windows by rasterio, with its place on the earth."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from d2freq.data.tiles.geometry import Window
from d2freq.errors import DatasetError
from d2freq.inference.detections import GeoReference, Picture
from d2freq.inference.sources.source import OpenPicture
from d2freq.utils.pixels import CURE, PixelReader, read_layout
from d2freq.utils.pixels.decoding import unreadable
from d2freq.utils.pixels.eight_bit import STRIP
from d2freq.utils.pixels.reader import finished
from d2freq.utils.pixels.value_range import Counts, scaled

__all__ = ["RASTERS", "has_rasterio", "open_raster", "raster_size"]

RASTERS = (".tif", ".tiff", ".jp2", ".vrt")
# Megabytes of decoded blocks: a row of 640 px tiles in a striped file 100,000 px wide fits, so
# that its strips are decoded once
CACHE = 256
# what GDAL says of a damaged file is in the error; a program that sets up logging hears it, too
logging.getLogger("rasterio").addHandler(logging.NullHandler())


def has_rasterio() -> bool:
    """Whether the package is installed; it is imported when a raster is opened."""
    return importlib.util.find_spec("rasterio") is not None


@contextmanager
def open_raster(
    path: str, *, name: str, image_id: int, reader: PixelReader | None = None
) -> Iterator[OpenPicture]:
    """A raster, with or without alpha or nodata: of 8 bits grey, palette, RGB; by a reader any.

    Raises:
        DatasetError: it is missing or damaged; without a reader also where it is deeper than 8 bits
            or has other bands, with one where it lacks some.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    with rasterio.Env(GDAL_CACHEMAX=CACHE), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            data = rasterio.open(path)
        except RasterioError as error:
            raise unreadable(path, error) from error
        with data:
            if reader is None:
                yield _Raster(data, path, name, image_id)
            else:
                yield _Samples(data, path, name, image_id, reader)


def raster_size(path: str) -> tuple[int, int]:
    """(width, height) from the header; (0, 0) where it cannot be read."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as data:
                return data.width, data.height
        except RasterioError:
            return 0, 0


class _Raster(OpenPicture):
    def __init__(self, data: Any, path: str, name: str, image_id: int) -> None:
        self._data = data
        self._colours = _colour_bands(data, path)
        self._palette = _palette(data) if len(self._colours) == 1 else None
        # asking costs a read of its own, so only where a file marks something
        flags = [flag.name for band in data.mask_flag_enums for flag in band]
        self._marked = any(flag != "all_valid" for flag in flags)
        self.picture = Picture(name, path, data.width, data.height, image_id, geo=_place(data))

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        from rasterio.errors import RasterioError
        from rasterio.windows import Window as Rectangle

        rectangle = Rectangle(window.x, window.y, window.width, window.height)
        try:
            bands = self._data.read(self._colours, window=rectangle)
            mask = self._data.dataset_mask(window=rectangle) if self._marked else None
        except (RasterioError, OSError) as error:
            raise damaged(self.picture.path, window, error) from error
        if self._palette is not None:
            pixels = self._palette[bands[0]]
        elif len(bands) == 1:
            pixels = np.repeat(bands[0][:, :, None], 3, axis=2)
        else:
            pixels = np.ascontiguousarray(bands.transpose(1, 2, 0))
        return pixels, None if mask is None or mask.all() else mask > 0


class _Samples(OpenPicture):
    """Bands of any depth, in windows that a reader scales."""

    def __init__(self, data: Any, path: str, name: str, image_id: int, reader: PixelReader) -> None:
        self._data = data
        self.reader = reader
        self.picture = Picture(name, path, data.width, data.height, image_id, geo=_place(data))
        kinds = [kind.name for kind in data.colorinterp]
        self._palette = _palette(data)  # read as the colours that its numbers stand for
        layout = replace(
            read_layout(path),
            bands=data.count if self._palette is None else 3,
            alpha=kinds.index("alpha") if "alpha" in kinds else -1,
            bits=8 * np.dtype(data.dtypes[0]).itemsize,
            kind=str(data.dtypes[0]).rstrip("0123456789"),
        )
        self._nodata = data.nodata
        self._selection = reader.select(layout, path)
        limits = reader.fixed_limits(len(self._selection.bands), path)
        self._limits = self._measured(reader) if limits is None else limits
        flags = [flag.name for band in data.mask_flag_enums for flag in band]
        self._marked = any(flag != "all_valid" for flag in flags)

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        values, rectangle = self._values(window)
        mask = self._data.dataset_mask(window=rectangle) if self._marked else None
        pixels = finished(scaled(values, self._limits, nodata=self._nodata), self._selection)
        return pixels, None if mask is None or mask.all() else mask > 0

    def _values(self, window: Window) -> tuple[np.ndarray, Any]:
        """The samples (h, w, B) of a window in the file's numbers, and rasterio's window."""
        from rasterio.errors import RasterioError
        from rasterio.windows import Window as Rectangle

        rectangle = Rectangle(window.x, window.y, window.width, window.height)
        bands = [band + 1 for band in self._selection.bands]
        try:
            if self._palette is not None:
                colours = self._palette[self._data.read(1, window=rectangle)]
                return colours[:, :, list(self._selection.bands)], rectangle
            return self._data.read(bands, window=rectangle).transpose(1, 2, 0), rectangle
        except (RasterioError, OSError) as error:
            raise damaged(self.picture.path, window, error) from error

    def _measured(self, reader: PixelReader) -> np.ndarray:
        """Percentiles of the whole picture, strip by strip."""
        width, height = self.picture.width, self.picture.height
        counts = Counts(len(self._selection.bands), nodata=self._nodata, total=width * height)
        for top in range(0, height, STRIP):
            strip = Window(0, top, width, min(STRIP, height - top))
            counts.add(self._values(strip)[0])
        return counts.percentiles(*reader.percentiles)


def damaged(path: str, window: Window, error: Exception) -> DatasetError:
    """The error of a raster whose blocks cannot be decoded at a window."""
    where = f"x {window.x}, y {window.y}"
    error = error.__cause__ if isinstance(error.__cause__, Exception) else error  # GDAL's own words
    return DatasetError(f"{path}: damaged at {where} ({error}); fetch it again, or remove it")


def _colour_bands(data: Any, path: str) -> list[int]:
    """Numbers of the one or three bands that are colours, from 1."""
    deep = sorted({kind for kind in data.dtypes if kind != "uint8"})
    if deep:
        raise DatasetError(
            f"{path}: {data.count} bands of {', '.join(deep)}; read as 8-bit grey or RGB it would "
            f"lose of them: {CURE}; or scale it to 8 bits (gdal_translate -ot Byte -scale LOW HIGH "
            "0 255)"
        )
    kinds = [kind.name for kind in data.colorinterp]
    colours = [n for n, kind in enumerate(kinds, start=1) if kind != "alpha"]
    if all(kind in kinds for kind in ("red", "green", "blue")) and len(colours) == 3:
        return [kinds.index(kind) + 1 for kind in ("red", "green", "blue")]
    if len(colours) not in (1, 3):
        raise DatasetError(
            f"{path}: has {data.count} bands ({', '.join(kinds)}), the model takes grey or three "
            f"colours; {CURE}; or write the three that matter (gdal_translate -b 1 -b 2 -b 3)"
        )
    return colours


def _palette(data: Any) -> np.ndarray | None:
    """(256, 3) uint8: the colours of a palette's numbers, None of a grey band."""
    if data.colorinterp[0].name != "palette":
        return None
    colours = np.zeros((256, 3), np.uint8)
    for number, colour in data.colormap(1).items():
        colours[number] = colour[:3]
    return colours


def _place(data: Any) -> GeoReference | None:
    if data.crs is None or data.transform.is_identity:
        return None
    authority = data.crs.to_authority()
    crs = ":".join(authority) if authority else data.crs.to_wkt()
    a, b, c, d, e, f = tuple(data.transform)[:6]
    return GeoReference(crs, (a, b, c, d, e, f))
