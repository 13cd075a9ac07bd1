"""``d2freq generate``: synthetic data sets."""

import argparse

from d2freq.commands import add_topics
from d2freq.commands.generate.seqcsist import add_seqcsist

SUMMARY = "write synthetic data sets"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be generated."""
    add_topics(
        command,
        {
            "scenes": ("synthetic aerial scenes: tiny_scenes_{train,val}", _scenes),
            "seqcsist": ("infrared target sequences: seqcsist_{train,val,test}", add_seqcsist),
        },
    )


def _scenes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", help="folder; without it $DETECTRON2_DATASETS/tiny_scenes, or datasets/..."
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes")
    parser.add_argument("--train", type=int, default=160, metavar="N", help="training pictures")
    parser.add_argument("--val", type=int, default=40, metavar="N", help="validation pictures")
    parser.add_argument("--size", type=int, default=256, help="side of a picture in pixels")
    parser.add_argument("--workers", type=int, help="processes; without it one a core")
    parser.add_argument("--overwrite", action="store_true", help="replace other scenes there")
    parser.set_defaults(run=_run_scenes)


def _run_scenes(arguments: argparse.Namespace) -> None:
    from d2freq.data.catalog import dataset_root
    from d2freq.data.scenes.dataset import describe, generate_scenes

    files = generate_scenes(
        arguments.output or dataset_root() / "tiny_scenes",
        seed=arguments.seed,
        train=arguments.train,
        val=arguments.val,
        size=arguments.size,
        workers=arguments.workers,
        overwrite=arguments.overwrite,
    )
    for file in files.values():
        print(describe(file))
