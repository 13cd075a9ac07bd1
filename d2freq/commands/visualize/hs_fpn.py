"""The topics of ``d2freq visualize`` that look into HS-FPN: responses, levels, channels, scr."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from d2freq.analysis.methods import PATCH
from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.utils.late import Later

__all__ = ["TOPICS"]


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
    from d2freq.analysis.hs_fpn.maps import read_image, record
    from d2freq.engine.build import build
    from d2freq.engine.config import load_config

    config = load_config(config_file, opts)
    reader, channels = config.pixels, None
    if reader is None:
        pixels = read_image(image)
    else:
        channels = reader.read(image)
        pixels = reader.to_rgb(channels)
    return plot(record(build(config, weights=weights), pixels, channels), **given)


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
    import numpy as np

    from d2freq.analysis.hs_fpn.clutter import boxes_of_image
    from d2freq.analysis.hs_fpn.maps import read_grey_levels
    from d2freq.analysis.hs_fpn.plots import plot_clutter

    grey = read_grey_levels(image)
    boxes = boxes_of_image(annotations, image) if annotations else [box]
    lines = [
        f"DCT block of {size}: SCR {np.median(values):.3f} (median of {len(values)})"
        for size, values in plot_clutter(grey, boxes, output, **given).items()
    ]
    return [*lines, output]


def _plot(name: str) -> Callable[..., Path]:
    return partial(_draw, Later("d2freq.analysis.hs_fpn.plots", name))


TOPICS = (
    Topic(
        "responses",
        "high-frequency responses of a level for several alphas",
        _responses,
        _plot("plot_responses"),
    ),
    Topic("levels", "levels before and after HFP and SDP", _levels, _plot("plot_levels")),
    Topic("channels", "the channel weights of HFP", _channels, _plot("plot_channels")),
    Topic(
        "scr",
        "signal to clutter ratio against the filtered DCT block",
        _scr,
        _draw_scr,
        show=list,
    ),
)
