"""The topic of ``d2freq analyze`` about a frequency input: gate."""

import argparse

from d2freq.analysis.methods import GATE
from d2freq.commands import options
from d2freq.commands.analyze.model import add_model
from d2freq.commands.topics import Topic
from d2freq.utils.late import Later

__all__ = ["TOPICS"]


def _gate(parser: argparse.ArgumentParser) -> None:
    add_model(parser, truth=False)
    options.add(parser, "--count", default=0, help="images at even steps; 0 is all")
    parser.add_argument("--top", type=int, default=24, help="channels of the static set")


TOPICS = (
    Topic(
        "gate",
        "which frequencies a trained gate switches on, as maps and as a config",
        _gate,
        Later("d2freq.analysis.frequency_input.gate", "measure_gate"),
        method=GATE,
    ),
)
