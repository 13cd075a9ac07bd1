"""Bands by share of energy, as a user writes them, and their fixed radii at each level."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from d2freq.errors import UserError
from d2freq.ops.spectrum import SpectrumSum

__all__ = ["Band", "Radii", "fixed_radii", "parse_bands"]

Radii = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Band:
    """The frequencies that hold the energy from ``low`` to ``high`` per cent, low ones first."""

    name: str
    low: float
    high: float

    @property
    def label(self) -> str:
        """For pictures: ``high 90-100 %``."""
        ends = f"{self.low:g}-{self.high:g}"
        return f"{ends} %" if self.name == ends else f"{self.name} {ends} %"


def parse_bands(words: Iterable[str], option: str) -> list[Band]:
    """Bands from words such as ``high=90-100`` or ``40-60``, in per cent of the energy.

    Raises:
        UserError: a word that is no band, or two bands of one name.
    """
    bands: list[Band] = []
    for word in words:
        found = re.fullmatch(r"(?:([\w.]+)=)?(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", word)
        low, high = (float(found[2]), float(found[3])) if found else (math.nan, math.nan)
        if not found or not 0 <= low < high <= 100:
            raise UserError(
                f"{option} {word!r}: write a band as LOW-HIGH or NAME=LOW-HIGH, in per cent of the "
                "energy, such as high=90-100"
            )
        bands.append(Band(found[1] or f"{low:g}-{high:g}", low, high))
    names = [band.name for band in bands]
    if len(set(names)) < len(names):
        raise UserError(f"{option}: two bands have one name: {', '.join(names)}")
    return bands


def fixed_radii(
    total: SpectrumSum, bands: Sequence[Band], level: str, *, zero_frequency: bool = False
) -> Radii:
    """The ends of each band as radii in cycles per cell: name -> (low, high).

    Args:
        zero_frequency: see SpectrumSum.radius.

    Raises:
        UserError: the level's features are constant, or not finite.
    """

    def radius(per_cent: float) -> float:
        return total.radius(per_cent / 100, zero_frequency=zero_frequency)

    try:
        return {band.name: (radius(band.low), radius(band.high)) for band in bands}
    except ValueError as error:
        raise UserError(f"level {level}: {error}; leave it out with --levels") from error
