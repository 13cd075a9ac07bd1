"""The topic of ``d2freq analyze`` about unmixing: unmixing-limits, which needs no model."""

import argparse

from d2freq.analysis.methods import UNMIXING_LIMITS
from d2freq.commands import options
from d2freq.commands.analyze.model import picture_path
from d2freq.commands.topics import Topic
from d2freq.utils.late import Later

__all__ = ["TOPICS"]

MOTIONS = ("smooth", "free", "still")  # of d2freq.ops.fisher, which would import torch


def _limits(parser: argparse.ArgumentParser) -> None:
    text = "the picture; numbers go to FILE.json"
    options.add(parser, "--output", type=picture_path, metavar="FILE.png", help=text)
    add = parser.add_argument
    levels = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    add("--noise", type=float, nargs="+", default=levels, help="grey levels of a pixel's noise")
    text = "frames that are seen together, odd numbers, or all"
    add("--frames", nargs="+", default=["1", "5", "all"], metavar="N", help=text)
    pair: dict = {"nargs": 2, "metavar": ("MIN", "MAX")}
    add("--targets", type=int, default=[2, 4], help="targets of a group, up to 8", **pair)
    add("--trajectories", type=int, default=100, help="to draw")
    levels = [220.0, 250.0]
    add("--intensity", type=float, default=levels, help="grey levels of a target", **pair)
    add("--unknown-intensity", action="store_true", help="the estimate does not know that range")
    add("--motion", choices=MOTIONS, default="smooth", help="of the group within a window")
    add("--uint8", action="store_true", help="frames are rounded and cut at 255")
    options.add(parser, "--seed", help="of the trajectories and the errors")


TOPICS = (
    Topic(
        "unmixing-limits",
        "the least error of targets in noise, and the CSO-mAP that it allows",
        _limits,
        Later("d2freq.analysis.unmixing.limits", "measure_limits"),
        method=UNMIXING_LIMITS,
    ),
)
