"""Whether two files, each sound, mean the same by the number of a class.

A detector numbers classes by the order of their ids. Where one file calls number 0 a boat and the
other a buoy, everything is trained and measured without a word, and a perfect detector gets AP 0.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from d2freq.data.coco.read import read_coco

__all__ = ["Classes", "Disagreement", "classes_of_file", "compare_classes"]

SHOWN = 12  # classes of a file that a message lists


@dataclass(frozen=True)
class Classes:
    """The classes of a file or data set, in the order in which a detector numbers them.

    Attributes:
        source: the file, or the data set's name.
        ids: of the categories.
        names: likewise.
    """

    source: str
    ids: tuple[int, ...]
    names: tuple[str, ...]

    def __str__(self) -> str:
        pairs = [f"{i} {name}" for i, name in zip(self.ids, self.names, strict=True)]
        more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
        return f"{self.source} has {', '.join(pairs[:SHOWN])}{more}"


@dataclass(frozen=True)
class Disagreement:
    """How the classes of two files differ.

    Attributes:
        fatal: the same names stand for other numbers, so that results would be wrong.
        text: one sentence with the ids and names of both files, and the cure.
    """

    fatal: bool
    text: str


def classes_of_file(json_file: str | os.PathLike) -> Classes:
    """The categories of a COCO file, by rising id.

    Raises:
        DatasetError: it cannot be read.
    """
    categories = read_coco(json_file).get("categories") or []
    return of_categories(str(json_file), categories)


def of_categories(source: str, categories: Sequence[dict]) -> Classes:
    """Likewise, of records that are read already."""
    ordered = sorted(categories, key=lambda each: each["id"])
    return Classes(
        source,
        tuple(each["id"] for each in ordered),
        tuple(str(each.get("name", each["id"])) for each in ordered),
    )


def compare_classes(first: Classes, second: Classes) -> Disagreement | None:
    """How ``second`` differs from ``first``; None where ids and names are the same."""
    if (first.ids, first.names) == (second.ids, second.names):
        return None
    both = f"{first}; {second}"
    if first.names == second.names:
        return Disagreement(
            False,
            f"the classes have other ids: {both}. They are numbered by the order of the ids, which "
            "is the same, so nothing is measured wrongly; a result file has the ids of its own set",
        )
    moved = next((n for n in first.names if n in second.names and _place(n, first, second)), None)
    if moved is not None:
        places = first.names.index(moved), second.names.index(moved)
        return Disagreement(
            True,
            f"the same classes stand for other numbers: {both}. {moved} is class {places[0]} of a "
            f"detector by the one and class {places[1]} by the other: give the categories of both "
            "files the same ids",
        )
    return Disagreement(False, f"the classes have other names: {both}. If they do not mean the "
                        "same, nothing that is measured will")  # fmt: skip


def _place(name: str, first: Classes, second: Classes) -> bool:
    return first.names.index(name) != second.names.index(name)
