"""An analysis as two files: a PNG, and beside it a JSON file with the numbers and how they came."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import d2freq
from d2freq.analysis.model_and_data import Subject
from d2freq.utils.files import without_nan, write_json

__all__ = ["About", "Result"]


@dataclass(frozen=True)
class About:
    """What was measured, how, on which models and data."""

    topic: str
    how: str
    models: list[dict[str, Any]]
    dataset: str
    images_in_dataset: int
    protocol: str
    areas: dict[str, list[float]]

    @classmethod
    def of(cls, topic: str, how: str, subjects: Sequence[Subject]) -> "About":
        """Of one model, or of several on the data set and protocol of the first."""
        first = subjects[0]
        return cls(
            topic=topic,
            how=how,
            models=[subject.about for subject in subjects],
            dataset=first.dataset,
            images_in_dataset=len(first.records),
            protocol=first.protocol.name,
            areas={area.label: [area.low, area.high] for area in first.protocol.areas},
        )


@dataclass(frozen=True)
class Result:
    """What every analysis begins with; a topic's own class adds what was found.

    The JSON file has the fields under their names and in their order, ``about`` without its name.

    Attributes:
        about: what was measured.
        settings: by which choices, a dataclass of the topic.
    """

    about: About
    settings: Any

    def to_json(self) -> dict[str, Any]:
        """The content of the JSON file."""
        found = asdict(self)
        about, settings = found.pop("about"), found.pop("settings")
        versions = {"d2freq": d2freq.__version__, "torch": torch.__version__}
        host = d2freq.describe_host()
        return {**about, "settings": settings, "versions": versions, "host": host, **found}

    def table(self) -> str:
        """What is printed of it, where the picture alone would not do."""
        return ""

    def lines(self) -> list[str]:
        """What a terminal shows: the table, and what a reader of the picture has to know."""
        notes = [f"note: {note}" for note in getattr(self, "notes", [])]
        return [self.table(), *notes] if self.table() else notes

    def write(self, picture: str | os.PathLike) -> Path:
        """Write it beside the picture, as .json; NaN and infinity become null."""
        path = Path(picture).with_suffix(".json")
        return write_json(path, without_nan(self.to_json()), indent=1)
