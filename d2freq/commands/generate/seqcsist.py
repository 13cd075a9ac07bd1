"""``d2freq generate seqcsist``: sequences of closely spaced infrared targets."""

import argparse
import dataclasses
from typing import Any

from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.data.seqcsist.rules import CURVES, Rules

__all__ = ["SEQCSIST"]


def _seqcsist(parser: argparse.ArgumentParser) -> None:
    """Every rule of d2freq.data.seqcsist.rules is among its options, with the rule's default."""
    sizes = {"train": 3500, "val": 750, "test": 750}
    splits = {split: (number, f"{split} trajectories") for split, number in sizes.items()}
    options.add_generated(parser, "seqcsist", splits)
    options.add(parser, "--overwrite", help="replace other splits there")
    _add_scene(parser.add_argument_group("frames"))
    _add_rules(parser.add_argument_group("trajectories"))


def _add_scene(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--size", type=int, default=Rules.size, help="side of a frame in pixels")
    add("--frames", type=int, default=Rules.frames, help="frames of a trajectory")
    add("--sigma", type=float, default=Rules.sigma, help="width of the optics in pixels")
    add("--uint8", action="store_true", help="round and cut to eight bits; without it float32")
    add("--background", metavar="clutter|DIR", help="made-up infrared clutter, or your own images")
    add("--background-gain", type=float, default=1.0, metavar="G", help="times its grey levels")
    add(
        "--background-range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="numbers of your images that become grey levels 0 and 255; 16-bit images need it",
    )
    add("--factor", type=int, default=3, help="cells per pixel and axis of Q_init")


def _add_rules(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    pair: dict[str, Any] = {"nargs": 2, "metavar": ("MIN", "MAX")}
    add("--targets", type=int, default=Rules.targets, help="targets, up to 8", **pair)
    add("--distance", type=float, default=Rules.distance, help="pixels to the reference point")
    add("--step", type=float, default=Rules.step, help="pixels a frame along the rows")
    add("--drift", type=float, default=Rules.drift, help="most pixels a frame outward")
    add("--intensity", type=float, default=Rules.intensity, help="grey levels of a target", **pair)
    add("--flicker", action="store_true", help="new intensities in each frame")
    add("--curves", nargs="+", default=Rules.curves, choices=CURVES, help="kinds of path")
    add("--slope", type=float, default=Rules.slope, help="steepest line")
    add("--curvature", type=float, default=Rules.curvature, help="most curved parabola")
    add("--radius", type=float, default=Rules.radius, help="of circles", **pair)


def _generate(output: str | None, *, factor: int, **given: Any) -> list[str]:
    from d2freq.data.catalog import dataset_root
    from d2freq.data.seqcsist.dataset import describe, generate_seqcsist

    values = {field.name: given.pop(field.name) for field in dataclasses.fields(Rules)}
    rules: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    folder = output or dataset_root() / "seqcsist"
    files = generate_seqcsist(folder, rules=Rules(**rules), factor=factor, **given)
    return [describe(file, factor=factor) for file in files.values()]


SEQCSIST = Topic(
    "seqcsist",
    "infrared target sequences: seqcsist_{train,val,test}",
    _seqcsist,
    _generate,
    show=list,
)
