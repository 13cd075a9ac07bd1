"""``d2freq analyze``: what frequencies, gradients and gates say about a detector."""

import argparse

from d2freq.commands import add_topics
from d2freq.commands.analyze.frequency_input import TOPICS as GATE
from d2freq.commands.analyze.set import TOPICS as SET

SUMMARY = "measure a detector's features by frequency, energy and gradient, or its gate"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be measured."""
    add_topics(command, {**SET, **GATE})
