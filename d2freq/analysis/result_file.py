"""An analysis as two files: a PNG, and beside it a JSON file with the numbers and how they came."""

import os
from pathlib import Path
from typing import Any

import torch

import d2freq
from d2freq.analysis.model_and_data import Subject
from d2freq.utils.files import without_nan, write_json

__all__ = ["head", "write_record"]


def head(topic: str, how: str, subjects: list[Subject], **settings: Any) -> dict[str, Any]:
    """What every record begins with: what was measured, how, on which models and data."""
    first = subjects[0]
    return {
        "topic": topic,
        "how": how,
        "models": [subject.about for subject in subjects],
        "dataset": first.dataset,
        "images_in_dataset": len(first.records),
        "protocol": first.protocol.name,
        "areas": {area.label: [area.low, area.high] for area in first.protocol.areas},
        "settings": settings,
        "versions": {"d2freq": d2freq.__version__, "torch": torch.__version__},
        "host": d2freq.describe_host(),
    }


def write_record(record: dict[str, Any], picture: str | os.PathLike) -> Path:
    """Write ``record`` beside the picture, as .json; NaN and infinity become null."""
    path = Path(picture).with_suffix(".json")
    return write_json(path, without_nan(record), indent=1)
