"""``d2freq analyze``: what a detector's frequencies, gradients and gates say; unmixing's limits."""

import argparse

from d2freq.commands.analyze.frequency_input import TOPICS as FREQUENCY_INPUT
from d2freq.commands.analyze.model import analyze
from d2freq.commands.analyze.set import TOPICS as SET
from d2freq.commands.analyze.unmixing import TOPICS as UNMIXING
from d2freq.commands.topics import add_topics

SUMMARY = "measure a detector's features and gates, or how far unmixing can go"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be measured."""
    add_topics(command, (*SET, *FREQUENCY_INPUT, *UNMIXING), analyze)
