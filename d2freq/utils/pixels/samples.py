"""The samples of a picture file as they are: every band, in the file's own kind of number.

Shape legend: H x W of the upright picture, B bands.
"""

import importlib.util
import os
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from d2freq.errors import DatasetError
from d2freq.utils.extras import install
from d2freq.utils.pixels.decoding import decoding
from d2freq.utils.pixels.layout import Layout, read_layout
from d2freq.utils.pixels.limits import any_size

__all__ = ["read_samples", "upright"]


def read_samples(path: str | os.PathLike) -> tuple[np.ndarray, Layout]:
    """All samples (H, W, B) of a picture, turned as its EXIF tag says, and its layout.

    8-bit pictures come as Pillow has them: grey (1 band), RGB (3), either with alpha behind it;
    palettes and inks are looked up as RGB. All others keep their type: uint16, int16, float32 ...

    Raises:
        DatasetError: the file is missing or broken, or needs a package that is not installed.
    """
    path = os.fspath(path)
    layout = read_layout(path)
    with decoding(path):
        if layout.plain:
            return _plain(path)
        if layout.damaged:
            raise ValueError(layout.damaged)
        if layout.kind == "complex":
            raise DatasetError(
                f"{path}: {layout}, which no model reads; write their magnitude into a file"
            )
        read = {"TIFF": _tiff, "JPEG 2000": _jpeg_2000}.get(layout.format, _by_opencv)
        values = read(path, layout)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.shape != (layout.size[1], layout.size[0], layout.bands):
        raise DatasetError(
            f"{path}: its header says {layout} of {layout.size[0]} x {layout.size[1]} pixels, its "
            f"pixels are {values.shape}; write the file anew, as TIFF or PNG"
        )
    return upright(values, layout.orientation), layout


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, B) turned and mirrored as an EXIF orientation of 1 to 8 says."""
    if orientation in (5, 6, 7, 8):
        values = values.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def _plain(path: str) -> tuple[np.ndarray, Layout]:
    with any_size(), Image.open(path) as image:
        turned = ImageOps.exif_transpose(image)
        if turned.mode == "1":
            turned = turned.convert("L")
        if turned.mode.startswith(("I", "F")):  # of a format whose header nobody asked
            values = np.asarray(turned)
            bits = 8 * values.dtype.itemsize
            kind = {"u": "uint", "i": "int", "f": "float"}[values.dtype.kind]
            return values[:, :, None], Layout("", bits, 1, kind, plain=False, size=turned.size)
        if turned.mode not in ("L", "LA", "RGB", "RGBA"):
            has_alpha = turned.mode == "PA" or "transparency" in turned.info
            turned = turned.convert("RGBA" if has_alpha else "RGB")
        values = np.asarray(turned)
    values = values if values.ndim == 3 else values[:, :, None]
    bands = values.shape[2]
    alpha = bands - 1 if bands in (2, 4) else -1
    return values, Layout(bits=8, bands=bands, alpha=alpha, size=(values.shape[1], values.shape[0]))


def _tiff(path: str, layout: Layout) -> np.ndarray:
    """By tifffile; by rasterio where it does not know the compression, as LZW without imagecodecs.

    tifffile is 0.25 MB and asks for numpy alone, so every installation has it; GDAL's 60 MB come
    with the extra ``geo``.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            whole: Any = [page for page in file.pages if not page.is_reduced]
            if layout.stacked:
                return np.stack([page.asarray() for page in whole[: layout.pages]], axis=2)
            page = whole[0]
            values = page.asarray()
            return np.moveaxis(values, 0, 2) if page.axes == "SYX" else values
    except (ValueError, NotImplementedError, RuntimeError) as error:
        if layout.stacked or importlib.util.find_spec("rasterio") is None:
            if "imagecodecs" not in str(error):
                raise
            raise DatasetError(
                f"{path}: its compression needs a package ({error}): {install('geo')}, or "
                "pip install imagecodecs"
            ) from error
        return _by_rasterio(path)


def _jpeg_2000(path: str, layout: Layout) -> np.ndarray:
    if importlib.util.find_spec("rasterio") is not None:
        return _by_rasterio(path)
    return _by_opencv(path, layout)


def _by_rasterio(path: str) -> np.ndarray:
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as data:
            return np.moveaxis(data.read(), 0, 2)


def _by_opencv(path: str, layout: Layout) -> np.ndarray:
    """PNG, PNM and JPEG 2000 of 16 bits, and PNM's floating point."""
    import cv2

    content = np.fromfile(path, np.uint8)  # imread knows no file names beyond ASCII everywhere
    values = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError("OpenCV cannot decode it")
    if values.ndim == 2:
        return values
    if layout.bands == 2 and values.shape[2] == 4:  # grey with alpha: grey thrice
        return values[:, :, 2:]
    order = [2, 1, 0, 3][: values.shape[2]]
    return values[:, :, order]
