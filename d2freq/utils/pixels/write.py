"""Write samples of any depth and number of bands: PNG where it holds them, else TIFF.

Shape legend: H x W pixels, B bands.
"""

import os
from pathlib import Path

import numpy as np

from d2freq.errors import UserError
from d2freq.utils.files import replacing

__all__ = ["holding_suffix", "write_samples"]

GDAL_NODATA = 42113  # TIFF's tag, a text


def holding_suffix(values: np.ndarray) -> str:
    """``.png`` where a PNG holds such samples as grey or RGB, else ``.tif``."""
    fits = values.dtype in (np.uint8, np.uint16) and values.shape[2] in (1, 3)
    return ".png" if fits else ".tif"


def write_samples(
    path: str | os.PathLike,
    values: np.ndarray,
    *,
    alpha: int = -1,
    nodata: float | None = None,
) -> None:
    """Write (H, W, B) as PNG or TIFF by the name's ending; all or nothing, and without loss.

    Args:
        values: of a PNG uint8 or uint16, B of 1 or 3; of a TIFF any number type and B.
        alpha: which band of a TIFF says where there is a picture, the last one or none, -1.
        nodata: the value that stands for no measurement, which a TIFF names.

    Raises:
        UserError: a PNG does not hold them.
    """
    path = Path(path)
    if path.suffix.lower() == ".png":
        import cv2

        if holding_suffix(values) != ".png":
            raise UserError(
                f"{path}: a PNG holds no {values.shape[2]} bands of {values.dtype}: name it .tif"
            )
        order = values[:, :, ::-1] if values.shape[2] == 3 else values
        options = [cv2.IMWRITE_PNG_COMPRESSION, 4]
        content = cv2.imencode(".png", np.ascontiguousarray(order), options)[1].tobytes()
        with replacing(path, sync=False) as draft:
            draft.write_bytes(content)
        return
    import tifffile

    bands = values.shape[2]
    colours = bands - (alpha >= 0)
    rgb = colours == 3
    extra = bands - (3 if rgb else 1)
    kinds = ["unspecified"] * extra
    if alpha >= 0:
        kinds[-1] = "unassalpha"
    text = "" if nodata is None else f"{nodata:g}"
    tags = [(GDAL_NODATA, "s", 0, text, True)] if text else []
    flat = values[:, :, 0] if bands == 1 else values
    with replacing(path, sync=False) as draft:
        tifffile.imwrite(
            draft,
            np.ascontiguousarray(flat),
            photometric="rgb" if rgb else "minisblack",
            planarconfig="contig" if bands > 1 else None,
            extrasamples=kinds or None,
            compression="zlib",
            predictor=values.dtype.kind in "iu",
            extratags=tags,
            metadata=None,
        )
