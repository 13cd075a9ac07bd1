"""``d2freq generate seqcsist``: sequences of closely spaced infrared targets."""

import argparse
from typing import Any


def add_seqcsist(parser: argparse.ArgumentParser) -> None:
    """Its arguments: every rule of d2freq.data.seqcsist.rules among them."""
    parser.add_argument(
        "--output", help="folder; without it $DETECTRON2_DATASETS/seqcsist, or datasets/..."
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes")
    for split, count in (("train", 3500), ("val", 750), ("test", 750)):
        parser.add_argument(
            f"--{split}", type=int, default=count, metavar="N", help=f"{split} trajectories"
        )
    parser.add_argument("--overwrite", action="store_true", help="replace other splits there")
    _add_scene(parser.add_argument_group("frames"))
    _add_rules(parser.add_argument_group("trajectories"))
    parser.set_defaults(run=_run)


def _add_scene(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--size", type=int, default=11, help="side of a frame in pixels")
    group.add_argument("--frames", type=int, default=20, help="frames of a trajectory")
    group.add_argument("--sigma", type=float, default=0.5, help="width of the optics in pixels")
    group.add_argument(
        "--uint8", action="store_true", help="round and cut to eight bits; without it float32"
    )
    group.add_argument(
        "--background", metavar="clutter|DIR", help="made-up infrared clutter, or your own images"
    )
    group.add_argument(
        "--background-gain", type=float, default=1.0, metavar="G", help="times its grey levels"
    )
    group.add_argument("--factor", type=int, default=3, help="cells per pixel and axis of Q_init")


def _add_rules(group: argparse._ArgumentGroup) -> None:
    pair: dict[str, Any] = {"nargs": 2, "metavar": ("MIN", "MAX")}
    group.add_argument("--targets", type=int, default=(2, 4), help="targets, up to 8", **pair)
    group.add_argument("--distance", type=float, default=0.3, help="pixels to the reference point")
    group.add_argument("--step", type=float, default=0.04, help="pixels a frame along the rows")
    group.add_argument("--drift", type=float, default=0.0014, help="most pixels a frame outward")
    group.add_argument(
        "--intensity", type=float, default=(220.0, 250.0), help="grey levels of a target", **pair
    )
    group.add_argument("--flicker", action="store_true", help="new intensities in each frame")
    group.add_argument(
        "--curves",
        nargs="+",
        default=("line", "parabola", "circle"),
        choices=("line", "parabola", "circle"),
        help="kinds of path",
    )
    group.add_argument("--slope", type=float, default=1.0, help="steepest line")
    group.add_argument("--curvature", type=float, default=1.0, help="most curved parabola")
    group.add_argument("--radius", type=float, default=(2.0, 8.0), help="of circles", **pair)


def _run(arguments: argparse.Namespace) -> None:
    import dataclasses

    from d2freq.data.catalog import dataset_root
    from d2freq.data.seqcsist import Rules, generate_seqcsist
    from d2freq.data.seqcsist.dataset import describe

    values = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(Rules)}
    rules: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    files = generate_seqcsist(
        arguments.output or dataset_root() / "seqcsist",
        rules=Rules(**rules),
        train=arguments.train,
        val=arguments.val,
        test=arguments.test,
        uint8=arguments.uint8,
        background=arguments.background,
        background_gain=arguments.background_gain,
        factor=arguments.factor,
        overwrite=arguments.overwrite,
    )
    for file in files.values():
        print(describe(file, factor=arguments.factor))
