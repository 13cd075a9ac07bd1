"""Refusals of numbers that make no sense where they stand: they name key, number and range."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from d2freq.errors import UserError

__all__ = [
    "ALPHA",
    "ANY",
    "COUNT",
    "FROM_ZERO",
    "PART",
    "POSITIVE",
    "SHARE",
    "WEIGHT",
    "Range",
    "check_ranges",
]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, all of them finite.

    Args:
        low, high: the ends; infinite where there is none.
        above: ``low`` itself is not one of them.
        whole: whole numbers alone.
        off: beside the range, a number that stands for "without", and what it leaves out.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    whole: bool = False
    off: tuple[float, str] | None = None

    def __contains__(self, value: Any) -> bool:
        kind = Integral if self.whole else Real
        if not isinstance(value, kind) or isinstance(value, bool) or not math.isfinite(value):
            return False
        if self.off is not None and value == self.off[0]:
            return True
        number = float(value)
        return (number > self.low if self.above else number >= self.low) and number <= self.high

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a finite number"
        ends = []
        if math.isfinite(self.low):
            ends.append(f"{'above' if self.above else 'from'} {self.low:g}")
            if not math.isfinite(self.high):
                ends[0] += "" if self.above else " on"
        if math.isfinite(self.high):
            ends.append(f"{'and at most' if self.above else 'to'} {self.high:g}")
        text = " ".join([kind, *ends])
        return text if self.off is None else f"{text}, or {self.off[0]:g} for no {self.off[1]}"


ANY = Range()
WEIGHT = Range(low=0)  # of a loss or a cost; 0 leaves it out
POSITIVE = Range(low=0, above=True)
PART = Range(low=0, high=1, above=True)  # a share, or an overlap, that is not 0
SHARE = Range(low=0, high=1)
ALPHA = Range(low=0, high=1, off=(-1, "weights"))  # of the focal loss, as fvcore has it
COUNT = Range(low=1, whole=True)
FROM_ZERO = Range(low=0, whole=True)


def check_ranges(values: Mapping[str, Any], ranges: Mapping[str, Range], *, section: str) -> None:
    """Raise UserError for the first value that is out of its range.

    Args:
        values: by the names of their keys.
        ranges: of some or all of them, by the same names.
        section: of the config, which the message puts in front: "MODEL.ATSS".

    Raises:
        UserError: a value is out of range; the message names key, value and range.

    Examples:
        >>> from d2freq.utils.ranges import WEIGHT, check_ranges
        >>> check_ranges({"LOC_WEIGHT": -2.0}, {"LOC_WEIGHT": WEIGHT}, section="MODEL.ATSS")
        Traceback (most recent call last):
        d2freq.errors.UserError: MODEL.ATSS.LOC_WEIGHT: got -2.0; give a finite number from 0 on
    """
    for key, allowed in ranges.items():
        if values[key] not in allowed:
            raise UserError(f"{section}.{key}: got {values[key]!r}; give {allowed}")
