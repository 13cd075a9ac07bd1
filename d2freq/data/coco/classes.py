"""Whether two files, each sound, mean the same by the number of a class.

A detector numbers classes by the order of their ids. Where one file calls number 0 a boat and the
other a buoy, everything is trained and measured without a word, and a perfect detector gets AP 0.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from d2freq.data.coco.read import read_coco
from d2freq.errors import DatasetError

__all__ = [
    "Classes",
    "Disagreement",
    "classes_of_file",
    "compare_classes",
    "of_categories",
    "plain_name",
]

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
        DatasetError: it cannot be read, or a category has no number as its id.
    """
    categories = read_coco(json_file).get("categories") or []
    for each in categories if isinstance(categories, list) else [categories]:
        if not isinstance(each, dict) or type(each.get("id")) is not int:
            raise DatasetError(
                f"{json_file}: the category {each!r:.120} has no whole number as its id, so "
                f"classes cannot be compared; d2freq validate {json_file} names what is wrong"
            )
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
    """How ``second`` differs from ``first``; None where ids and names are the same.

    A name is the same in another case, and with other blanks, hyphens or underscores.
    """
    if (first.ids, first.names) == (second.ids, second.names):
        return None
    both = f"{first}; {second}"
    ours, theirs = map(_plain_names, (first, second))
    if ours == theirs and first.ids == second.ids:
        return Disagreement(False, f"the classes are spelt otherwise: {both}")
    if ours == theirs:
        return Disagreement(
            False,
            f"the classes have other ids: {both}. They are numbered by the order of the ids, which "
            "is the same, so nothing is measured wrongly; a result file has the ids of its own set",
        )
    moved = [n for n in ours if n in theirs and ours.index(n) != theirs.index(n)]
    if moved:
        places = ours.index(moved[0]), theirs.index(moved[0])
        both_names = first.names + second.names
        lacking = [n for n in both_names if plain_name(n) not in {*ours} & {*theirs}]
        cure = "give the categories of both files the same ids"
        if lacking:
            cure = (
                f"list {', '.join(lacking[:SHOWN])} in both files, also without a box, or in none"
            )
        return Disagreement(
            True,
            f"the same classes stand for other numbers: {both}. {first.names[places[0]]} is class "
            f"{places[0]} of a detector by the one and class {places[1]} by the other: {cure}",
        )
    return Disagreement(False, f"the classes have other names: {both}. If they do not mean the "
                        "same, nothing that is measured will")  # fmt: skip


def _plain_names(classes: Classes) -> list[str]:
    return [plain_name(name) for name in classes.names]


def plain_name(name: str) -> str:
    """A name by which spellings of one class are the same: without capitals, blanks and signs."""
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name
