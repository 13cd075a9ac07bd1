"""``d2freq train``: what ``python -m d2freq.train`` does, with the same flags."""

import argparse

from d2freq.train import build_parser, start

SUMMARY = "train or evaluate a config, with the flags of Detectron2's train_net.py"


def parents() -> list[argparse.ArgumentParser]:
    """The parser whose flags this command takes over."""
    return [build_parser()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing beside the flags of the parent."""
    parser.set_defaults(run=start)
