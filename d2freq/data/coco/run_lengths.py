"""COCO's run lengths: lengths of runs of 0 and 1 in turn, down the columns of a mask.

As text, each length is written as its difference to the last but one (from the fourth on), in
groups of five bits from the lowest on, a letter from "0" on for each: bit 6 says that more follow,
the highest bit of the last group is the sign.
"""

__all__ = ["lengths_of_text", "run_length_ill"]

FIRST, LAST = ord("0"), ord("0") + 63


def lengths_of_text(text: str) -> list[int]:
    """The run lengths that a text means.

    Raises:
        ValueError: it has another letter, or breaks off.
    """
    lengths: list[int] = []
    value = shift = 0
    for letter in text.encode("latin-1", "replace"):
        if not FIRST <= letter <= LAST:
            raise ValueError(f"has the letter {chr(letter)!r}")
        bits = letter - FIRST
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("breaks off")
    return lengths


def run_length_ill(mask: dict, size: tuple[float, float] | None) -> str:
    """What is wrong with a mask in run lengths, "" for a sound one.

    Args:
        size: (height, width) of its image; None where it is unknown.
    """
    missing = [key for key in ("size", "counts") if key not in mask]
    if missing:
        return f"an object without {' and '.join(missing)}"
    sides, counts = mask["size"], mask["counts"]
    if (
        not isinstance(sides, list)
        or len(sides) != 2
        or not all(type(side) is int and side > 0 for side in sides)
    ):
        return f"run lengths of the size {sides!r}"
    if size is not None and tuple(sides) != size:
        return (
            f"a mask of {sides[0]} x {sides[1]}, its image is {size[0]:g} x {size[1]:g} high x wide"
        )
    if isinstance(counts, str):
        try:
            counts = lengths_of_text(counts)
        except ValueError as error:
            return f"run lengths whose text {error}"
    if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
        return "run lengths that are no whole numbers from 0 on"
    total = sum(counts)
    if total != sides[0] * sides[1]:
        return f"run lengths that sum to {total}, not to {sides[0]} x {sides[1]}"
    return ""
