"""Which DCT coefficients a network sees: the published sets, squares, triangles, or a list.

A channel's number counts through the components: with 8 points Y has 0 to 63, Cb 64 to 127, Cr
128 to 191; with 4 points 0 to 15, 16 to 31, 32 to 47. Within a component numbers are in raster
order. Cb and Cr of the published sets are equal.
"""

from collections.abc import Iterable, Sequence

from d2freq.errors import UserError
from d2freq.ops.block_dct import zigzag

__all__ = ["PUBLISHED", "component_names", "select_channels"]


def _block(rows: Iterable[int]) -> tuple[int, ...]:
    """Raster indices of the first ``rows[v]`` coefficients of each row v of an 8 x 8 block."""
    return tuple(8 * v + u for v, count in enumerate(rows) for u in range(count))


# (Y, Cb = Cr): the sets that the authors' code holds, by the number of their channels
PUBLISHED = {
    "6": (_block((2, 2)), (0,)),
    "24": (_block((4, 4, 4, 4)), _block((2, 2))),
    "24-learned": (_block((6, 3, 3, 1, 1)), (0, 1, 3, 8, 24)),
    "32": (_block((5, 5, 5, 4, 3)), _block((3, 2))),
    "48": (_block((6, 6, 6, 6, 4, 4)), _block((3, 3, 2))),
    "64": (_block((7, 7, 6, 6, 6, 6, 6)), _block((3, 3, 2, 2))),
    "192": (_block((8,) * 8), _block((8,) * 8)),
}


def select_channels(choice: str | Sequence[int], *, points: int = 8) -> list[int]:
    """The numbers of the chosen channels, Y first, then Cb, then Cr.

    Args:
        choice: one of

            - a published set: "6", "24", "24-learned", "32", "48", "64", "192" (8 points alone);
            - "all";
            - "square:Y,CbCr", the lowest Y x Y coefficients of Y and CbCr x CbCr of each chroma;
            - "triangle:Y,Cb,Cr", that many of the lowest zigzag ranks of each component;
            - the channels' numbers, which keep their order.

        points: N, coefficients a side: 8 or 4.

    Returns:
        distinct numbers in [0, 3 N N).

    Raises:
        UserError: an unknown name, a number out of range or given twice, or no channel at all.

    Examples:
        >>> from d2freq.modeling.frequency_input import select_channels
        >>> select_channels("6")
        [0, 1, 8, 9, 64, 128]
        >>> len(select_channels("64")), select_channels("square:2,1", points=4)
        (64, [0, 1, 4, 5, 16, 32])
    """
    size = points * points
    if not isinstance(choice, str):
        return _checked([int(number) for number in choice], size)
    kind, _, numbers = choice.partition(":")
    if choice == "all":
        return list(range(3 * size))
    if kind == "square":
        luma, chroma = _numbers(choice, numbers, count=2, most=points)
        parts = [_square(luma, points), _square(chroma, points), _square(chroma, points)]
    elif kind == "triangle":
        ranks = zigzag(points)
        counts = _numbers(choice, numbers, count=3, most=size)
        parts = [sorted(ranks[:count]) for count in counts]
    elif choice in PUBLISHED and points == 8:
        luma_set, chroma_set = PUBLISHED[choice]
        parts = [list(luma_set), list(chroma_set), list(chroma_set)]
    else:
        names = ", ".join(PUBLISHED) if points == 8 else "none for 4 points"
        raise UserError(
            f"channels {choice!r}: no such set; published: {names}; or all, square:Y,CbCr, "
            "triangle:Y,Cb,Cr, or a list of numbers"
        )
    return _checked([place * size + n for place, part in enumerate(parts) for n in part], size)


def component_names(channels: Sequence[int], *, points: int = 8) -> list[str]:
    """What each channel is, such as "Cb(0,3)": component, vertical and horizontal frequency.

    Examples:
        >>> from d2freq.modeling.frequency_input.channels import component_names
        >>> component_names([0, 9, 67])
        ['Y(0,0)', 'Y(1,1)', 'Cb(0,3)']
    """
    names = []
    for number in channels:
        component, index = divmod(number, points * points)
        names.append(f"{('Y', 'Cb', 'Cr')[component]}({index // points},{index % points})")
    return names


def _square(side: int, points: int) -> list[int]:
    return [points * v + u for v in range(side) for u in range(side)]


def _numbers(choice: str, text: str, *, count: int, most: int) -> list[int]:
    words = text.split(",")
    if len(words) != count or not all(word.strip().isdigit() for word in words):
        raise UserError(
            f"channels {choice!r}: {count} numbers behind the colon, as in {count * '4,'}"
        )
    numbers = [int(word) for word in words]
    if max(numbers) > most:
        raise UserError(f"channels {choice!r}: {max(numbers)} is above {most}, all that there are")
    return numbers


def _checked(channels: list[int], size: int) -> list[int]:
    if not channels:
        raise UserError("no DCT channel is chosen; name a set, such as 24, or a list of numbers")
    outside = [n for n in channels if not 0 <= n < 3 * size]
    if outside:
        raise UserError(
            f"DCT channels {outside}: there are 0 to {3 * size - 1} ({size} a component: Y, Cb, Cr)"
        )
    twice = sorted({n for n in channels if channels.count(n) > 1})
    if twice:
        raise UserError(f"DCT channels {twice} are given twice; name each once")
    return channels
