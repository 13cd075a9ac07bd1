"""The files of a folder as a sequence: their order, and what stands against equal steps of time."""

import re
from collections.abc import Sequence
from pathlib import Path

from d2freq.errors import DatasetError

__all__ = ["in_order", "notes_on"]


def in_order(files: Sequence[Path]) -> list[Path]:
    """By name, numbers compared as numbers: frame_9 before frame_10.

    Raises:
        DatasetError: two files are the same frame, such as frame_1.png and frame_01.png.
    """
    found = sorted(files, key=_number_order)
    for one, other in zip(found, found[1:], strict=False):
        if _number_order(one.with_suffix("")) == _number_order(other.with_suffix("")):
            raise DatasetError(
                f"{one.parent} has {one.name} and {other.name}, one frame by their number; keep "
                "one of them"
            )
    return found


def notes_on(files: Sequence[Path], others: Sequence[Path]) -> list[str]:
    """What a person is told of a folder.

    Args:
        files: the frames, in order.
        others: what else lies there.
    """
    notes = []
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        notes.append(f"left out, for it is no picture: {min(others).name}{more}")
    parts = [re.split(r"(\d+)", file.stem) for file in files]
    same = {(*own[:-2], own[-1]) for own in parts}
    if len(files) < 3 or len(same) != 1 or len(parts[0]) < 3:
        return notes
    numbers = [int(own[-2]) for own in parts]
    steps = [after - before for before, after in zip(numbers, numbers[1:], strict=False)]
    gaps = [index for index, step in enumerate(steps) if step != min(steps)]
    if gaps:
        before, after = files[gaps[0]].name, files[gaps[0] + 1].name
        more = f", and at {len(gaps) - 1} places more" if len(gaps) > 1 else ""
        notes.append(
            f"frames are missing between {before} and {after}{more}; they are taken as equal steps "
            "of time, so give each part by itself, or --frames 1"
        )
    return notes


def _number_order(file: Path) -> list[tuple[int, int | str]]:
    """Numbers within a name as numbers, and before words."""
    parts = re.split(r"(\d+)", file.name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]
