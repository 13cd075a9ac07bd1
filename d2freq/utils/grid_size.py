"""How large the grid may be that point targets are unmixed on."""

from d2freq.errors import UserError
from d2freq.utils.numbers import in_range

__all__ = ["check_grid"]

ENTRIES = 2**28  # of the sampling matrix: 2 GiB in float64


def check_grid(size: int, factor: int, *, keys: tuple[str, str]) -> None:
    """Raise UserError where the sampling matrix would be too large, or is none.

    Args:
        size: pixels a side, m.
        factor: grid cells per pixel and axis, c.
        keys: where both were given, as the message names them.
    """
    in_range(factor, 1, 64, key=keys[1], what="grid cells per pixel and axis")
    entries = size**4 * factor**2
    if entries > ENTRIES:
        most = int((ENTRIES / size**4) ** 0.5)
        cure = (
            f"{keys[1]} is {most} at most" if most else f"{keys[0]} is {int(ENTRIES**0.25)} at most"
        )
        raise UserError(
            f"{keys[1]} {factor} and {keys[0]} {size} make a sampling matrix of {size**2} x "
            f"{(size * factor) ** 2} numbers, {ENTRIES} are the most; {cure}"
        )
