"""The topics of ``d2freq visualize`` that look into HS-FPN: responses, levels, channels, scr."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from d2freq.analysis.hs_fpn.clutter import PATCH, boxes_of_image
from d2freq.analysis.hs_fpn.maps import read_image, record
from d2freq.analysis.hs_fpn.plots import plot_channels, plot_clutter, plot_levels, plot_responses
from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.engine.build import config_model

__all__ = ["TOPICS"]

GREY = (0.299, 0.587, 0.114)  # by ITU-R BT.601, as OpenCV and Pillow


def _channels(parser: argparse.ArgumentParser) -> None:
    options.add(parser, "--config-file", "--weights", "--image", "--output")
    options.add(parser, "opts", help="config overrides: KEY VALUE")


def _responses(parser: argparse.ArgumentParser) -> None:
    _channels(parser)
    parser.add_argument(
        "--level", dest="stage", type=int, default=2, metavar="LEVEL", help="2 is P2, of stride 4"
    )
    parser.add_argument(
        "--alphas",
        action=options.Several,
        kind=float,
        default=[0, 0.1, 0.25, 0.5, 0.75, 1],
        metavar="ALPHA",
    )


def _levels(parser: argparse.ArgumentParser) -> None:
    _channels(parser)
    parser.add_argument(
        "--levels",
        dest="stages",
        action=options.Several,
        kind=int,
        default=[2],
        metavar="LEVEL",
    )


def _draw(
    plot: Callable[..., Path],
    *,
    config_file: str,
    opts: Sequence[str],
    weights: str | None,
    image: str,
    **given: Any,
) -> Path:
    """Plot what the config's neck makes of the image."""
    pixels = read_image(image)
    return plot(record(config_model(config_file, opts, weights=weights), pixels), **given)


def _scr(parser: argparse.ArgumentParser) -> None:
    options.add(parser, "--image", "--output")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--box", type=float, nargs=4, metavar=("X", "Y", "W", "H"), help="a target")
    where.add_argument("--annotations", help="COCO file: every object of the image is a target")
    sizes = [0, 1, 10, 50, 100]  # HS-FPN, Fig. 1
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument(
        "--patch", type=int, default=PATCH, help="side of the target region, pixels"
    )
    parser.add_argument("--surround", type=float, default=3.0, help="neighbourhood, in patches")


def _draw_scr(
    image: str, output: str, *, box: list[float], annotations: str | None, **given: Any
) -> list[str]:
    grey = read_image(image).astype(np.float64) @ np.array(GREY)
    boxes = boxes_of_image(annotations, image) if annotations else [box]
    lines = [
        f"DCT block of {size}: SCR {np.median(values):.3f} (median of {len(values)})"
        for size, values in plot_clutter(grey, boxes, output, **given).items()
    ]
    return [*lines, output]


TOPICS = (
    Topic(
        "responses",
        "high-frequency responses of a level for several alphas",
        _responses,
        partial(_draw, plot_responses),
    ),
    Topic("levels", "levels before and after HFP and SDP", _levels, partial(_draw, plot_levels)),
    Topic("channels", "the channel weights of HFP", _channels, partial(_draw, plot_channels)),
    Topic(
        "scr",
        "signal to clutter ratio against the filtered DCT block",
        _scr,
        _draw_scr,
        show=list,
    ),
)
