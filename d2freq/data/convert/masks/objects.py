"""The objects in a mask and the boxes around them, to the pixel.

A box is (first column, first row, last column - first column + 1, last row - first row + 1), so
that an object of one pixel has a width and height of 1.

Letters: H x W pixels.
"""

import os
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageOps

from d2freq.errors import UserError
from d2freq.utils.pixels import any_size, read_layout, read_samples

EIGHT = 8  # neighbours of a pixel, with those at its corners


@dataclass(frozen=True)
class MaskObject:
    """One object.

    Attributes:
        value: that its pixels have in the mask.
        bbox: x, y, width, height in whole pixels.
        segmentation: its pixels as COCO's run lengths, ``{"size": [H, W], "counts": text}``.
    """

    value: int
    bbox: tuple[int, int, int, int]
    segmentation: dict


def read_mask(path: str | os.PathLike) -> np.ndarray:
    """The values of a mask (H, W) int64: grey values, places in a palette, or colours as numbers.

    A palette's colours are for the eye, its places are what tools write. Three colours become one
    number, R + 256 G + 65536 B, as in COCO's panoptic masks, unless all pixels are grey. Of a TIFF
    whose 0 is white, as tifffile writes an array of bool, the numbers in the file hold, not the
    grey that a program shows. Turned as its EXIF tag says.

    Raises:
        UserError: not found, unreadable, several pictures in one file, several bands that no colour
            is made of, or drawn in its transparency alone.
    """
    layout = read_layout(path)
    # Pillow gives the high bytes alone of colours with more than 8 bits, where instances are lost
    if layout.pages > 1:
        raise UserError(
            f"{path}: {layout.pages} pictures in one file; save one mask for its image, with a "
            "value for each object (--kind instance)"
        )
    pixels = _plain_pixels(path) if layout.plain else read_samples(path)[0]
    if layout.plain and layout.white_is_zero:  # Pillow has inverted them for the eye
        pixels = ~pixels if pixels.dtype == bool else 255 - pixels
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 2:
        if pixels.dtype.kind == "f":
            whole = np.rint(pixels)
            if not np.array_equal(whole, pixels):
                raise UserError(f"{path}: a mask of fractions; save it as whole numbers")
            pixels = whole
        return pixels.astype(np.int64)
    if not layout.plain and (layout.bits > 16 or pixels.shape[2] > 4):
        raise UserError(f"{path}: {layout}; a mask has one band, or the colours of one picture")
    colours, alpha = pixels.astype(np.int64), None
    if colours.shape[2] in (2, 4):
        colours, alpha = colours[:, :, :-1], colours[:, :, -1]
    if alpha is not None and (alpha != alpha.flat[0]).any() and not np.ptp(colours, (0, 1)).any():
        raise UserError(f"{path}: its transparency is the mask; save that as grey values")
    if colours.shape[2] == 1 or (colours == colours[:, :, :1]).all():
        return colours[:, :, 0]
    bits = max(8, layout.bits)
    return colours @ np.array([1, 1 << bits, 1 << 2 * bits])


def _plain_pixels(path: str | os.PathLike) -> np.ndarray:
    """(H, W) or (H, W, colours) of a picture of at most 8 bits, places in its palette."""
    try:
        with any_size(), Image.open(path) as image:
            turned = ImageOps.exif_transpose(image)
            return np.asarray(turned.convert("LA") if turned.mode in ("LA", "PA", "La") else turned)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such mask") from error
    except Exception as error:  # Pillow raises many kinds on broken files
        raise UserError(f"{path}: unreadable ({error}); fetch it again") from error


def components(foreground: np.ndarray, neighbours: int = EIGHT) -> np.ndarray:
    """(H, W) int64: each connected part of ``foreground`` (H, W) bool has a number from 1 on.

    Args:
        neighbours: 8, or 4 where pixels that touch at their corners alone are apart.
    """
    _, labels = cv2.connectedComponents(foreground.astype(np.uint8), connectivity=neighbours)
    return labels.astype(np.int64)


def objects_of(labels: np.ndarray) -> list[MaskObject]:
    """Each value but 0 of (H, W) ``labels`` as an object, in the order of their values."""
    from pycocotools import mask as run_lengths

    height, width = labels.shape
    # COCO's runs go down the columns, so pixels are taken in that order
    columns = np.flatnonzero(labels.T)
    if not len(columns):  # a mask of a picture on which nothing is
        return []
    values = labels.T.ravel()[columns]
    order = np.argsort(values, kind="stable")
    columns, values = columns[order], values[order]
    firsts = np.flatnonzero(np.diff(values, prepend=0))
    found = []
    for pixels, value in zip(np.split(columns, firsts[1:]), values[firsts], strict=True):
        x, y = pixels // height, pixels % height
        left, top = int(x.min()), int(y.min())
        bbox = (left, top, int(x.max()) - left + 1, int(y.max()) - top + 1)
        coded = run_lengths.frPyObjects(
            {"size": [height, width], "counts": _runs(pixels, height * width)}, height, width
        )
        text = {"size": [height, width], "counts": coded["counts"].decode("ascii")}
        found.append(MaskObject(int(value), bbox, text))
    return found


def _runs(pixels: np.ndarray, total: int) -> list[int]:
    """Lengths of the runs outside and inside in turn, of rising ``pixels`` among ``total``."""
    breaks = np.flatnonzero(np.diff(pixels) > 1)
    starts = pixels[np.concatenate([[0], breaks + 1])]
    ends = pixels[np.concatenate([breaks, [len(pixels) - 1]])] + 1
    edges = np.stack([starts, ends], 1).ravel()
    return np.diff(edges, prepend=0, append=total).tolist()
