"""Options that several commands take, each written once."""

import argparse
from typing import Any

__all__ = ["OVERRIDES", "add", "add_generated"]

OVERRIDES = "overrides: KEY VALUE, or key=value"
OPTIONS: dict[str, dict[str, Any]] = {
    "--config-file": {"required": True, "help": "YAML or lazy config, or its name"},
    "--weights": {"help": "checkpoint; without it the initial weights"},
    "opts": {"nargs": argparse.REMAINDER, "help": OVERRIDES},
    "--dataset": {"help": "registered name; without it the config's test set"},
    "--device": {"default": "cpu", "help": "cpu or cuda"},
    "--image": {"required": True, "help": "any picture; it is not resized"},
    "--output": {"required": True, "help": "the PNG to write"},
    "--count": {"type": int, "help": "images; 0 is all"},
    "--seed": {"type": int, "default": 0, "help": "the same seed gives the same bytes"},
    "--workers": {"type": int, "help": "processes; without it one a core"},
    "--overwrite": {"action": "store_true", "help": "replace other tiles there"},
}


def add(parser: argparse.ArgumentParser, *names: str, **changed: Any) -> None:
    """Add options of the table; ``changed`` are add_argument's words that differ from it here."""
    for name in names:
        parser.add_argument(name, **{**OPTIONS[name], **changed})


def add_generated(
    parser: argparse.ArgumentParser, name: str, splits: dict[str, tuple[int, str]]
) -> None:
    """Where a generated data set goes, its seed, and split -> how many of what."""
    parser.add_argument(
        "--output", help=f"folder; without it $DETECTRON2_DATASETS/{name}, or datasets/..."
    )
    add(parser, "--seed")
    for split, (number, what) in splits.items():
        parser.add_argument(f"--{split}", type=int, default=number, metavar="N", help=what)
