"""The one reader of pictures of any depth: a range of values and a choice of bands for a model.

Shape legend: H x W of the upright picture, B bands of the file, C channels of the model.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from d2freq.errors import DatasetError, UserError
from d2freq.utils.choices import choice
from d2freq.utils.pixels.eight_bit import check_size
from d2freq.utils.pixels.layout import Layout
from d2freq.utils.pixels.samples import read_samples
from d2freq.utils.pixels.value_range import Counts, scaled

__all__ = ["DATASET", "IMAGE", "ORDERS", "PERCENTILES", "OpenSamples", "PixelReader", "Selection"]

IMAGE, DATASET = "image", "dataset"  # ranges that are measured
ORDERS = ("RGB", "BGR", "L")
# Of 256 x 256 pixels 7 lie beyond either: one hot pixel does not darken the rest, and a target of
# 3 x 3 is not cut off
PERCENTILES = (0.01, 99.99)
GREY = (0.299, 0.587, 0.114)  # of red, green, blue; ITU-R BT.601, as Pillow
KEY = "INPUT.PIXELS."


class Selection(NamedTuple):
    """Which bands of a file are read, from 0, and what is made of them.

    ``finish``: "" leaves them, "repeat" gives one thrice, "grey" one of three.
    """

    bands: tuple[int, ...]
    finish: str = ""

    @property
    def channels(self) -> int:
        """C."""
        return {"repeat": 3, "grey": 1}.get(self.finish, len(self.bands))


@dataclass(frozen=True)
class PixelReader:
    """From a picture file of any depth to channels from 0 to 255, float32.

    Such channels are no whole numbers: nothing of the depth is rounded away. A picture of 8 bits
    under the range [0, 255] keeps its numbers.

    Args:
        range: what becomes 0 and 255: ``[low, high]`` in the file's numbers, or such a pair for
            each band that is read; "image": percentiles of each picture, of each band by itself;
            "dataset": percentiles of the training data, which has to be measured first.
        bands: numbers of the file's bands from 1 on, in the order of the model's channels; a band
            may come twice. Empty: all bands but alpha, of grey and colour pictures as ``order``
            says.
        order: of the channels where ``bands`` is empty: "RGB", "BGR", or "L" for grey alone. A grey
            picture has its band repeated for "RGB" and "BGR".
        percentiles: of the ranges that are measured, low and high.

    Raises:
        UserError: a value that no reader takes.

    Examples:
        >>> import tempfile, numpy as np, tifffile
        >>> from d2freq.utils.pixels import PixelReader
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tifffile.imwrite(f"{folder}/a.tif", np.full((4, 5), 4095, np.uint16))
        ...     pixels = PixelReader([0, 4095], bands=[1])
        ...     found = pixels.read(f"{folder}/a.tif")
        >>> found.shape, found.dtype, float(found.max())
        ((4, 5, 1), dtype('float32'), 255.0)
    """

    range: Any
    bands: Sequence[int] = ()
    order: str = "BGR"
    percentiles: Sequence[float] = PERCENTILES

    def __post_init__(self) -> None:
        choice(self.order, ORDERS, key="INPUT.FORMAT")
        bands = tuple(self.bands or ())
        if not all(type(band) is int and band >= 1 for band in bands):
            raise UserError(f"{KEY}BANDS is {list(bands)}: numbers of bands count from 1")
        object.__setattr__(self, "bands", bands)
        object.__setattr__(self, "range", _range(self.range, len(bands)))
        low, high = _pair(self.percentiles, f"{KEY}PERCENTILES")
        if not 0 <= low < high <= 100:
            raise UserError(f"{KEY}PERCENTILES is [{low:g}, {high:g}]: 0 <= low < high <= 100")
        object.__setattr__(self, "percentiles", (low, high))

    def as_dict(self) -> dict[str, Any]:
        """The arguments that make the same reader, in JSON's types."""
        fixed = self.range if isinstance(self.range, str) else [list(p) for p in self.range]
        return {
            "range": fixed,
            "bands": list(self.bands),
            "order": self.order,
            "percentiles": list(self.percentiles),
        }

    def select(self, layout: Layout, path: str | os.PathLike = "") -> Selection:
        """Which bands of such a file are read.

        Raises:
            DatasetError: it has fewer, or they cannot be put in the order.
        """
        if self.bands:
            if max(self.bands) > layout.bands:
                raise DatasetError(
                    f"{os.fspath(path)}: {layout}, but {KEY}BANDS asks for band {max(self.bands)}"
                )
            return Selection(tuple(band - 1 for band in self.bands))
        colours = layout.colours
        if len(colours) == 1:
            return Selection(colours, "" if self.order == "L" else "repeat")
        if len(colours) == 3:
            if self.order == "L":
                return Selection(colours, "grey")
            return Selection(colours if self.order == "RGB" else colours[::-1])
        if self.order == "L":
            raise DatasetError(
                f"{os.fspath(path)}: {layout}, of which INPUT.FORMAT L makes no grey; name "
                f"the band: {KEY}BANDS"
            )
        return Selection(colours)

    def open(self, path: str | os.PathLike, size: tuple[int, int] | None = None) -> "OpenSamples":
        """The picture, decoded, to be read in windows.

        Args:
            size: (width, height) that a COCO file gives; None takes any.

        Raises:
            DatasetError: missing, broken, of another size, or without such bands.
        """
        values, layout = read_samples(path)
        check_size(path, values, size)
        return self._opened(values, layout, path)

    def of_values(self, values: np.ndarray) -> "OpenSamples":
        """The same of an array (H, W, B), whose bands are those of a file without alpha."""
        kind = {"u": "uint", "i": "int"}.get(values.dtype.kind, "float")
        layout = Layout(bits=8 * values.dtype.itemsize, bands=values.shape[2], kind=kind)
        return self._opened(values, layout, "the array")

    def _opened(self, values: np.ndarray, layout: Layout, path: str | os.PathLike) -> "OpenSamples":
        selection = self.select(layout, path)
        chosen = values[:, :, list(selection.bands)]
        limits = self.limits_of(chosen, nodata=layout.nodata, path=path)
        return OpenSamples(chosen, selection, limits, layout.nodata)

    def read(self, path: str | os.PathLike, size: tuple[int, int] | None = None) -> np.ndarray:
        """(H, W, C) float32 of a file; see ``open``."""
        opened = self.open(path, size)
        return opened.read(slice(None), slice(None))

    def limits_of(
        self, values: np.ndarray, *, nodata: float | None = None, path: str | os.PathLike = ""
    ) -> np.ndarray:
        """(B, 2) float64: what becomes 0 and 255 of the samples (H, W, B) that are read.

        Raises:
            UserError: the range is the data set's and nobody has measured it.
            DatasetError: the range has another number of bands.
        """
        bands = values.shape[2]
        fixed = self.fixed_limits(bands, path)
        if fixed is not None:
            return fixed
        counts = Counts(bands, nodata=nodata, total=values.shape[0] * values.shape[1])
        counts.add(values)
        return counts.percentiles(*self.percentiles)

    def fixed_limits(self, bands: int, path: str | os.PathLike = "") -> np.ndarray | None:
        """(B, 2) float64 of a given range; None where each picture has its own."""
        if self.range == IMAGE:
            return None
        if self.range == DATASET:
            raise UserError(
                f"{KEY}RANGE is 'dataset', which is measured before a training; give the range "
                f"that its config.yaml names, or measure it: d2freq.data.pixels.measure_range"
            )
        if len(self.range) not in (1, bands):
            raise DatasetError(
                f"{os.fspath(path)}: {bands} bands are read, {KEY}RANGE has {len(self.range)} pairs"
            )
        return np.broadcast_to(np.array(self.range, np.float64), (bands, 2))

    def to_rgb(self, pixels: np.ndarray) -> np.ndarray:
        """Channels (H, W, C) from 0 to 255 as something to look at, (H, W, 3) uint8 RGB.

        The first three, or the first one as grey.
        """
        shown = pixels[:, :, :3] if pixels.shape[2] >= 3 else np.repeat(pixels[:, :, :1], 3, axis=2)
        if not self.bands and self.order == "BGR" and pixels.shape[2] == 3:
            shown = shown[:, :, ::-1]
        return np.clip(np.rint(shown), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class OpenSamples:
    """The chosen samples of a picture in the file's numbers, which windows are scaled of.

    Attributes:
        values: (H, W, B).
        limits: (B, 2), what becomes 0 and 255.
    """

    values: np.ndarray
    selection: Selection
    limits: np.ndarray
    nodata: float | None = None

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """(h, w, C) float32 of a window."""
        return finished(
            scaled(self.values[rows, columns], self.limits, nodata=self.nodata), self.selection
        )


def finished(pixels: np.ndarray, selection: Selection) -> np.ndarray:
    """Scaled bands (h, w, B) as the channels (h, w, C) of a selection."""
    if selection.finish == "repeat":
        return np.repeat(pixels, 3, axis=2)
    if selection.finish == "grey":
        return (pixels @ np.array(GREY, np.float32))[:, :, None]
    return pixels


def _range(given: Any, bands: int) -> str | tuple[tuple[float, float], ...]:
    if isinstance(given, str):
        return choice(given, (IMAGE, DATASET), key=f"{KEY}RANGE")
    try:
        rows = list(given)
        pairs = rows if rows and not isinstance(rows[0], int | float) else [rows]
        found = tuple(_pair(pair, f"{KEY}RANGE") for pair in pairs)
    except TypeError:
        raise UserError(
            f"{KEY}RANGE is {given!r}: give [low, high], such a pair for each band, 'image' or "
            "'dataset'"
        ) from None
    for low, high in found:
        if not low < high:
            raise UserError(f"{KEY}RANGE has [{low:g}, {high:g}]: low is less than high")
    if bands and len(found) not in (1, bands):
        raise UserError(f"{KEY}RANGE has {len(found)} pairs, {KEY}BANDS {bands} bands")
    return found


def _pair(given: Any, key: str) -> tuple[float, float]:
    values = list(given)
    if len(values) != 2 or not all(isinstance(v, int | float) and np.isfinite(v) for v in values):
        raise UserError(f"{key} has {values}: two numbers, low and high")
    return float(values[0]), float(values[1])
