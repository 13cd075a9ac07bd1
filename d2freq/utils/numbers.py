"""Refusals of numbers out of range: they say where the number stands and what may be there."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

from d2freq.errors import UserError

__all__ = ["in_range", "pair_in_range"]


def in_range(value: Any, low: float, high: float, *, key: str, what: str) -> None:
    """Refuse a number below ``low``, above ``high`` or NaN, and what is no number.

    Args:
        key: where the value was given, as the message begins: "--sigma", "MODEL.X is".
        what: what is expected, in front of the range: "pixels of a spot".

    Raises:
        UserError: it is out of range; the message names key, value, ``what`` and the range.

    Examples:
        >>> from d2freq.utils.numbers import in_range
        >>> in_range(0.5, 0.1, 10, key="--sigma", what="pixels")
        >>> in_range(float("nan"), 0.1, 10, key="--sigma", what="pixels")
        Traceback (most recent call last):
            ...
        d2freq.errors.UserError: --sigma nan: pixels, 0.1 to 10
    """
    if not (_is_number(value) and low <= value <= high):
        raise UserError(f"{key} {_shown(value)}: {what}, {_shown(low)} to {_shown(high)}")


def pair_in_range(values: Any, low: float, high: float, *, key: str, what: str) -> None:
    """Refuse what is no pair of numbers from ``low`` to ``high``, the smaller one first.

    Raises:
        UserError: as of :func:`in_range`.
    """
    pair = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else None
    if not (pair and len(pair) == 2 and all(map(_is_number, pair))) or not (
        low <= pair[0] <= pair[1] <= high
    ):
        shown = repr(values) if pair is None else " ".join(map(_shown, pair))
        raise UserError(
            f"{key} {shown}: {what}, two numbers of {_shown(low)} to {_shown(high)}, the smaller "
            "one first"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and bool(value == value)


def _shown(value: Any) -> str:
    """Whole numbers in all their digits, others in six."""
    return f"{value:g}" if isinstance(value, float) else repr(value)
