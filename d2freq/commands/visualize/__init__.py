"""``d2freq visualize``: pictures and curves."""

import argparse

from d2freq.commands import options
from d2freq.commands.topics import Topic, add_topics
from d2freq.commands.visualize.detections import DETECTIONS
from d2freq.commands.visualize.hs_fpn import TOPICS as HS_FPN
from d2freq.commands.visualize.unmixing import UNMIXING
from d2freq.utils.late import Later

SUMMARY = "draw what a detector found, how it learned, and what HS-FPN makes of an image"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be drawn."""
    add_topics(command, (DETECTIONS, LOSSES, *HS_FPN, UNMIXING))


def _losses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metrics", required=True, help="metrics.json of a training run")
    options.add(parser, "--output")


LOSSES = Topic(
    "losses",
    "loss and AP curves of a training run",
    _losses,
    Later("d2freq.analysis.loss_curve", "plot_losses"),
)
