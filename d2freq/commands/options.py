"""Options that several commands take, each written once."""

import argparse

__all__ = [
    "config_file",
    "count",
    "dataset",
    "device",
    "generated",
    "overrides",
    "overwrite",
    "picture",
    "weights",
    "workers",
]

OVERRIDES = "overrides: KEY VALUE, or key=value"


def config_file(parser: argparse.ArgumentParser, *, text: str = OVERRIDES) -> None:
    """The config, and overrides behind all options."""
    parser.add_argument("--config-file", required=True, help="YAML or lazy config")
    overrides(parser, text=text)


def overrides(parser: argparse.ArgumentParser, *, text: str) -> None:
    """The words behind all options."""
    parser.add_argument("opts", nargs=argparse.REMAINDER, help=text)


def weights(
    parser: argparse.ArgumentParser, *, text: str = "checkpoint; without it the initial weights"
) -> None:
    """The checkpoint."""
    parser.add_argument("--weights", help=text)


def dataset(parser: argparse.ArgumentParser, *, split: str) -> None:
    """A registered data set instead of the config's training or test set."""
    parser.add_argument("--dataset", help=f"registered name; without it the config's {split} set")


def device(parser: argparse.ArgumentParser) -> None:
    """Where the model runs."""
    parser.add_argument("--device", default="cpu", help="cpu or cuda")


def picture(parser: argparse.ArgumentParser) -> None:
    """The one file that is written."""
    parser.add_argument("--output", required=True, help="the PNG to write")


def count(parser: argparse.ArgumentParser, default: int, what: str) -> None:
    """A number of images."""
    parser.add_argument("--count", type=int, default=default, help=f"{what}; 0 is all")


def workers(parser: argparse.ArgumentParser) -> None:
    """The processes."""
    parser.add_argument("--workers", type=int, help="processes; without it one a core")


def overwrite(parser: argparse.ArgumentParser, what: str) -> None:
    """Leave to replace what another run has written."""
    parser.add_argument("--overwrite", action="store_true", help=f"replace other {what} there")


def generated(
    parser: argparse.ArgumentParser, name: str, splits: dict[str, tuple[int, str]]
) -> None:
    """Where a generated data set goes, its seed, and split -> how many of what."""
    parser.add_argument(
        "--output", help=f"folder; without it $DETECTRON2_DATASETS/{name}, or datasets/..."
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes")
    for split, (number, what) in splits.items():
        parser.add_argument(f"--{split}", type=int, default=number, metavar="N", help=what)
