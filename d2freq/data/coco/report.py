"""What a check of a data set found, as data: kinds of fault, how often, where, and the cure.

Three severities. *Errors* make a training or a measurement wrong or impossible: the file is
refused. *Repairs* have one sensible reading, which is taken: the record is counted and a warning
says so. *Notes* change nothing; ``d2freq validate`` prints them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from d2freq.errors import DatasetError

EXAMPLES = 3  # records named in a message; the others are counted


@dataclass(frozen=True)
class Fault:
    """One kind of fault: how often, where, and what to do or what is done about it.

    ``records`` are positions in the list ``section`` of the file, where the fault is in records.
    """

    kind: str
    count: int
    examples: tuple[str, ...]
    cure: str
    section: str = ""
    records: tuple[int, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        more = self.count - len(self.examples)
        where = "; ".join(self.examples) + (f"; and {more} more" if more > 0 else "")
        return f"{self.kind} ({self.count}): {where}. {self.cure}"


@dataclass
class Report:
    """What a check found in ``file``."""

    file: str
    images: int = 0
    annotations: int = 0
    categories: int = 0
    objects: int = 0  # boxes that are trained on: whole, and neither crowds nor flagged ignore
    errors: list[Fault] = field(default_factory=list)
    repairs: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """No error; there may be repairs."""
        return not self.errors

    def raise_if_faulty(self) -> None:
        """Raise DatasetError with all errors, one a line, and the command that mends records."""
        if self.errors:
            lines = [f"{self.file}: {len(self.errors)} kind(s) of fault"]
            lines += [f"- {fault}" for fault in self.errors]
            if any(fault.records for fault in self.errors):
                lines.append(f"cure: d2freq validate {self.file} --fix OUT.json mends what it can")
            raise DatasetError("\n".join(lines))

    def warning(self) -> str:
        """What is repaired, one line a kind; empty where nothing is."""
        if not self.repairs:
            return ""
        return "\n".join([f"{self.file}: repaired", *(f"- {fault}" for fault in self.repairs)])

    def text(self) -> str:
        """All that was found, a line a kind with its severity; or "no fault"."""
        counts = f"{self.images} images, {self.annotations} boxes, {self.categories} categories"
        lines = [f"{self.file}: {counts}"]
        lines += [f"error: {fault}" for fault in self.errors]
        lines += [f"repair: {fault}" for fault in self.repairs]
        lines += [f"note: {fault}" for fault in self.notes]
        if not self.errors and not self.repairs:
            lines.append("no fault")
        return "\n".join(lines)

    def error(self, kind: str, cure: str, examples: Sequence[str]) -> None:
        """Note an error where there are examples of it."""
        _add(self.errors, kind, cure, examples)

    def repair(self, kind: str, cure: str, examples: Sequence[str]) -> None:
        """Note a repair where there are examples of it."""
        _add(self.repairs, kind, cure, examples)

    def note(self, kind: str, cure: str, examples: Sequence[str]) -> None:
        """Note what is harmless where there are examples of it."""
        _add(self.notes, kind, cure, examples)

    def records(
        self,
        faults: list[Fault],
        kind: str,
        cure: str,
        section: str,
        positions: Sequence[int] | np.ndarray,
        describe: Callable[[int], str],
    ) -> None:
        """Add a fault of the records at ``positions`` of ``section`` to ``faults``, if any.

        Args:
            faults: ``errors``, ``repairs`` or ``notes`` of this report.
            describe: names the record at a position; called for the first few alone.
        """
        if len(positions):
            where = tuple(int(position) for position in positions)
            examples = tuple(describe(position) for position in where[:EXAMPLES])
            faults.append(Fault(kind, len(where), examples, cure, section, where))


def _add(faults: list[Fault], kind: str, cure: str, examples: Sequence[str]) -> None:
    if examples:
        faults.append(Fault(kind, len(examples), tuple(examples[:EXAMPLES]), cure))
