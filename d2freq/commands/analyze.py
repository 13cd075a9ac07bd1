"""``d2freq analyze``: what frequencies, gradients and gates say about a detector."""

import argparse

from d2freq.commands import add_topics
from d2freq.commands.analyze_frequency import TOPICS as FREQUENCY
from d2freq.commands.analyze_gate import TOPICS as GATE
from d2freq.commands.analyze_maps import TOPICS as MAPS

SUMMARY = "measure a detector's features by frequency, energy and gradient, or its gate"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be measured."""
    add_topics(command, {**FREQUENCY, **MAPS, **GATE})
