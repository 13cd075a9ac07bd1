"""The range of values that becomes 0 to 255: given, or percentiles of what is in a picture.

Shape legend: H x W pixels, B bands.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["Counts", "scaled"]

WHITE = 255.0
MOST = 1 << 22  # samples of a band that are sorted, of types that are too wide to be counted


class Counts:
    """How often each value occurs in each band, gathered block by block.

    Up to 16 bits every sample counts; of wider types an even grid of each block.

    Args:
        bands: B.
        nodata: a value that is no measurement; neither is NaN.
        total: pixels of the whole picture.
    """

    def __init__(self, bands: int, *, nodata: float | None = None, total: int = 0) -> None:
        self._nodata = nodata
        self._step = max(1, int(np.ceil(np.sqrt(total / MOST))))
        self._tables: list[np.ndarray | None] = [None] * bands  # of each value of 16 bits
        self._values: list[list[np.ndarray]] = [[] for _ in range(bands)]

    def add(self, block: np.ndarray) -> None:
        """Count the samples (h, w, B) of a block."""
        narrow = block.dtype.kind in "iu" and block.dtype.itemsize <= 2
        for band in range(block.shape[2]):
            values = block[:, :, band] if narrow else block[:: self._step, :: self._step, band]
            flat = values.reshape(-1)
            if narrow:
                counts = np.bincount(flat.astype(np.int64) + _OFFSET, minlength=1 << 17)
                before = self._tables[band]
                self._tables[band] = counts if before is None else before + counts
            else:
                # infinity stands for no measurement, too, as of the logarithm of 0
                self._values[band].append(flat[_measured(flat, self._nodata) & np.isfinite(flat)])

    def percentiles(self, low: float, high: float) -> np.ndarray:
        """(B, 2) float64: the least values that ``low`` and ``high`` percent do not exceed.

        A band without a measurement has 0 and 0.
        """
        found = np.zeros((len(self._tables), 2))
        for band, (table, parts) in enumerate(zip(self._tables, self._values, strict=True)):
            if table is not None:
                values, counts = self._counted(table)
            else:
                values, counts = np.unique(
                    np.concatenate(parts) if parts else np.zeros(0), return_counts=True
                )
            if not len(values):
                continue
            sums = np.cumsum(counts)
            places = np.searchsorted(sums, np.array([low, high]) / 100 * sums[-1] - 1e-9)
            found[band] = values[np.minimum(places, len(values) - 1)]
        return found

    def _counted(self, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = np.flatnonzero(table)
        counts = table[values]
        values = values - _OFFSET
        kept = _measured(values, self._nodata)
        return values[kept], counts[kept]


_OFFSET = 1 << 15  # of int16's least value


def scaled(
    values: np.ndarray, limits: Sequence | np.ndarray, *, nodata: float | None = None
) -> np.ndarray:
    """(H, W, B) of any type -> float32, each band's low value at 0 and its high one at 255.

    What lies beyond, infinity too, is cut off at 0 and 255; nodata and NaN become 0, as does a
    band whose two limits are equal.

    Args:
        limits: (B, 2).
    """
    limits = np.asarray(limits, np.float64)
    # float32 holds 24 bits, and the difference of two large numbers less
    wide = values.dtype.itemsize > 2 and values.dtype != np.float32
    pixels = np.array(values, np.float64 if wide else np.float32, order="C")
    missing = ~_measured(pixels, nodata)
    for band, (low, high) in enumerate(limits):
        plane = pixels[:, :, band]
        if high <= low:
            plane[...] = 0
            continue
        plane -= low
        plane *= WHITE / (high - low)
    pixels[missing] = 0
    return np.clip(pixels, 0, WHITE, out=pixels).astype(np.float32, copy=False)


def _measured(values: np.ndarray, nodata: float | None) -> np.ndarray:
    kept = np.ones(values.shape, bool)
    if values.dtype.kind == "f":
        kept &= ~np.isnan(values)
    if nodata is not None and not np.isnan(nodata):
        kept &= values != nodata
    return kept
