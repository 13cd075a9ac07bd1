"""``d2freq generate scenes``: synthetic aerial scenes."""

import argparse
from typing import Any

from d2freq.commands import options
from d2freq.commands.topics import Topic

__all__ = ["SCENES"]


def _scenes(parser: argparse.ArgumentParser) -> None:
    splits = {"train": (160, "training pictures"), "val": (40, "validation pictures")}
    options.add_generated(parser, "tiny_scenes", splits)
    parser.add_argument("--size", type=int, default=256, help="side of a picture in pixels")
    parser.add_argument(
        "--bits", type=int, default=8, choices=(8, 16), help="16: numbers up to 4095, 16-bit files"
    )
    parser.add_argument(
        "--bands", type=int, default=3, choices=(1, 3, 4), help="1 grey, 3 RGB, 4 and near infrared"
    )
    options.add(parser, "--workers")
    options.add(parser, "--overwrite", help="replace other scenes there")


def _generate(output: str | None, *, bits: int, bands: int, **given: Any) -> list[str]:
    from d2freq.data.catalog import dataset_root
    from d2freq.data.scenes.dataset import describe, generate_scenes

    name = "tiny_scenes" if (bits, bands) == (8, 3) else f"tiny_scenes_{bits}bit_{bands}band"
    files = generate_scenes(output or dataset_root() / name, bits=bits, bands=bands, **given)
    return [describe(file) for file in files.values()]


SCENES = Topic(
    "scenes", "synthetic aerial scenes: tiny_scenes_{train,val}", _scenes, _generate, show=list
)
