"""``d2freq train``: what ``python -m d2freq.train`` does, with the same flags."""

import argparse

from d2freq.train_arguments import build_parser
from d2freq.utils.late import Later

SUMMARY = "train or evaluate a config, with the flags of Detectron2's train_net.py"


def parents() -> list[argparse.ArgumentParser]:
    """The parser whose flags this command takes over."""
    return [build_parser()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing beside the flags of the parent."""
    parser.set_defaults(
        run=Later("d2freq.train", "start"), check=Later("d2freq.data.own.flags", "check_data_flags")
    )
