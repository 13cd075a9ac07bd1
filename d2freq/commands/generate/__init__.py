"""``d2freq generate``: synthetic data sets."""

import argparse

from d2freq.commands.generate.scenes import SCENES
from d2freq.commands.generate.seqcsist import SEQCSIST
from d2freq.commands.topics import add_topics

SUMMARY = "write synthetic data sets"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be generated."""
    add_topics(command, (SCENES, SEQCSIST))
