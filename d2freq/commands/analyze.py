"""``d2freq analyze``: what frequencies and gradients say about a detector's features (SET)."""

import argparse

from d2freq.commands import add_topics
from d2freq.commands.analyze_frequency import TOPICS as FREQUENCY
from d2freq.commands.analyze_maps import TOPICS as MAPS

SUMMARY = "measure a detector's features by frequency, energy and gradient, with or without SET"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be measured."""
    add_topics(command, {**FREQUENCY, **MAPS})
