"""A GeoTIFF, read in windows by rasterio, with its place on the earth."""

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from d2freq.data.tiles.geometry import Window
from d2freq.errors import DatasetError
from d2freq.inference.detections import GeoReference, Picture
from d2freq.inference.sources.source import OpenPicture

__all__ = ["RASTERS", "has_rasterio", "open_raster", "raster_size"]

RASTERS = (".tif", ".tiff", ".jp2", ".vrt")
# Megabytes of decoded blocks: a row of 640 px tiles in a striped file 100,000 px wide fits, so
# that its strips are decoded once
CACHE = 256


def has_rasterio() -> bool:
    """Whether the package is installed; it is imported when a raster is opened."""
    return importlib.util.find_spec("rasterio") is not None


@contextmanager
def open_raster(path: str, *, name: str, image_id: int) -> Iterator[OpenPicture]:
    """A raster of 8 bits: grey, palette, RGB, with or without alpha or nodata.

    Raises:
        DatasetError: it is missing, damaged, deeper than 8 bits, or has other bands.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    with rasterio.Env(GDAL_CACHEMAX=CACHE), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            data = rasterio.open(path)
        except RasterioError as error:
            raise DatasetError(
                f"{path}: unreadable ({error}); fetch it again, or remove it"
            ) from error
        with data:
            yield _Raster(data, path, name, image_id)


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
            where = f"x {window.x}, y {window.y}"
            raise DatasetError(
                f"{self.picture.path}: damaged at {where} ({error}); fetch it again, or remove it"
            ) from error
        if self._palette is not None:
            pixels = self._palette[bands[0]]
        elif len(bands) == 1:
            pixels = np.repeat(bands[0][:, :, None], 3, axis=2)
        else:
            pixels = np.ascontiguousarray(bands.transpose(1, 2, 0))
        return pixels, None if mask is None or mask.all() else mask > 0


def _colour_bands(data: Any, path: str) -> list[int]:
    """Numbers of the one or three bands that are colours, from 1."""
    deep = sorted({kind for kind in data.dtypes if kind != "uint8"})
    if deep:
        raise DatasetError(
            f"{path}: its samples are {', '.join(deep)}, not of 8 bits; scale the range that "
            "matters to 0..255 and write it as 8 bits first (gdal_translate -ot Byte -scale LOW "
            "HIGH 0 255)"
        )
    kinds = [kind.name for kind in data.colorinterp]
    colours = [n for n, kind in enumerate(kinds, start=1) if kind != "alpha"]
    if all(kind in kinds for kind in ("red", "green", "blue")) and len(colours) == 3:
        return [kinds.index(kind) + 1 for kind in ("red", "green", "blue")]
    if len(colours) not in (1, 3):
        raise DatasetError(
            f"{path}: has {data.count} bands ({', '.join(kinds)}), a model takes grey or three "
            "colours; write the three that matter (gdal_translate -b 1 -b 2 -b 3)"
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
