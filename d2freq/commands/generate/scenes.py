"""``d2freq generate scenes``: synthetic aerial scenes."""

import argparse

from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.data.catalog import dataset_root
from d2freq.data.scenes.dataset import describe, generate_scenes

__all__ = ["SCENES"]


def _scenes(parser: argparse.ArgumentParser) -> None:
    splits = {"train": (160, "training pictures"), "val": (40, "validation pictures")}
    options.add_generated(parser, "tiny_scenes", splits)
    parser.add_argument("--size", type=int, default=256, help="side of a picture in pixels")
    options.add(parser, "--workers")
    options.add(parser, "--overwrite", help="replace other scenes there")


def _generate(output: str | None, **given) -> list[str]:
    files = generate_scenes(output or dataset_root() / "tiny_scenes", **given)
    return [describe(file) for file in files.values()]


SCENES = Topic(
    "scenes", "synthetic aerial scenes: tiny_scenes_{train,val}", _scenes, _generate, show=list
)
