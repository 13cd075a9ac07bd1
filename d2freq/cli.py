"""The command ``d2freq``: one subcommand a job, each importing what it needs when it is called.

Bad input ends with one line on stderr and exit code 2.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from d2freq.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code (0, or 2 for bad input)."""
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (UserError, OSError) as error:
        print(f"d2freq: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("d2freq: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser with every subcommand; a new one is a function here and a line in COMMANDS."""
    parser = argparse.ArgumentParser(prog="d2freq", description="Tools of d2freq.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (summary, add_arguments) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        add_arguments(command)
    return parser


def _topics(command: argparse.ArgumentParser, topics: dict[str, tuple[str, Callable]]) -> None:
    choices = command.add_subparsers(title="what", metavar="WHAT", required=True)
    for name, (summary, add_arguments) in topics.items():
        formatter = argparse.ArgumentDefaultsHelpFormatter
        topic = choices.add_parser(
            name, help=summary, description=summary, formatter_class=formatter
        )
        add_arguments(topic)


# --- d2freq generate ------------------------------------------------------------------------


def _generate(command: argparse.ArgumentParser) -> None:
    _topics(command, {"scenes": ("synthetic aerial scenes: tiny_scenes_{train,val}", _scenes)})


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
    from d2freq.data.scenes_dataset import describe, generate_scenes

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


# --- d2freq visualize -----------------------------------------------------------------------


def _visualize(command: argparse.ArgumentParser) -> None:
    _topics(
        command,
        {
            "detections": ("hits, false alarms and misses drawn on the pictures", _detections),
            "losses": ("loss and AP curves of a training run", _losses),
        },
    )


def _detections(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, help="registered name: tiny_scenes_val")
    parser.add_argument("--predictions", required=True, help="coco_instances_results.json")
    parser.add_argument("--output", required=True, help="folder for the pictures")
    parser.add_argument("--count", type=int, default=12, help="how many pictures; 0 is all")
    parser.add_argument("--score-threshold", type=float, default=0.3, help="draw from here on")
    parser.add_argument("--iou-threshold", type=float, default=0.5, help="overlap of a hit")
    parser.set_defaults(run=_run_detections)


def _run_detections(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.visualize import visualize_detections

    paths = visualize_detections(
        arguments.dataset,
        arguments.predictions,
        arguments.output,
        count=arguments.count,
        score_threshold=arguments.score_threshold,
        iou_threshold=arguments.iou_threshold,
    )
    print(f"{arguments.output}: {len(paths)} pictures")


def _losses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metrics", required=True, help="metrics.json of a training run")
    parser.add_argument("--output", required=True, help="the PNG to write")
    parser.set_defaults(run=_run_losses)


def _run_losses(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.curves import plot_losses

    print(plot_losses(arguments.metrics, arguments.output))


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "generate": ("write synthetic data sets", _generate),
    "visualize": ("draw what a detector found, and how it learned", _visualize),
}

if __name__ == "__main__":
    sys.exit(main())
