"""``d2freq unmix``: point targets within a pixel of each other, in a person's own frames."""

import argparse
from pathlib import Path

from d2freq.utils.present import present

FRAMES = (
    "a .npy file of (frames, rows, columns), a TIFF of a page a frame, or a folder of pictures of "
    "one band, 8 or 16 bits"
)
SUMMARY = "find point targets between the pixels of your frames, with errors and tracks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Frames, sensor, outputs. Nothing heavy is imported before the run."""
    parser.add_argument(
        "source",
        metavar="FRAMES",
        help=FRAMES,
    )
    parser.add_argument(
        "--sigma",
        type=float,
        help="standard deviation of the spot in pixels; without it the frames tell",
    )
    parser.add_argument(
        "--frames",
        type=_frames,
        default=5,
        metavar="N|all",
        help="frames that are explained together: 1, an odd number, which waits for half of them, "
        "or all, offline (5)",
    )
    parser.add_argument(
        "--brightness",
        type=float,
        nargs=2,
        default=(),
        metavar=("LEAST", "MOST"),
        help="intensities that a target may have, in the frames' numbers, summed over its pixels; "
        "in noise close targets are told apart by it",
    )
    parser.add_argument(
        "--flicker", action="store_true", help="targets change their intensity between frames"
    )
    parser.add_argument(
        "--saturation",
        type=float,
        help="the largest number that the sensor writes; without it that of 8, 10, 12, 14 or 16 "
        "bits where a pixel has it",
    )
    parser.add_argument(
        "--least",
        type=float,
        help="intensity below which no target is told; without it a fiftieth of the brightest",
    )
    parser.add_argument(
        "--crop",
        type=int,
        nargs=3,
        metavar=("ROW", "COLUMN", "SIDE"),
        help="the window that is looked at, by its middle; without it frames of up to 33 pixels "
        "are taken whole, of larger ones 21 pixels about the brightest",
    )
    parser.add_argument(
        "--output",
        nargs="+",
        default=["targets.csv"],
        metavar="FILE",
        help="files that end in .csv, .json or .png, each written in its form (targets.csv)",
    )
    parser.set_defaults(run=_run, check=_check)


def _frames(text: str) -> int | str:
    if text != "all" and not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r}: an odd number, such as 5, or all")
    return text if text == "all" else int(text)


def _among_frames(file: Path, source: Path) -> bool:
    """Whether the next run would read it as a frame, or it replaces one."""
    return source.is_dir() and file.resolve().parent == source.resolve()


def _check(arguments: argparse.Namespace) -> None:
    present(arguments.source, cure=f"give {FRAMES}")


def _run(arguments: argparse.Namespace) -> int:
    from d2freq.errors import UserError
    from d2freq.inference.unmixing import UnmixOptions, unmix
    from d2freq.inference.unmixing.outputs import write_csv, write_targets_json

    options = vars(arguments).copy()
    outputs = [Path(file) for file in options.pop("output")]
    options.pop("run")
    for file in outputs:
        if file.suffix.lower() not in (".csv", ".json", ".png"):
            raise UserError(f"--output {file}: its name ends in .csv, .json or .png")
        if file.is_dir():
            raise UserError(f"--output {file} is a folder; give a file in it")
        if file.suffix.lower() == ".png" and _among_frames(file, Path(arguments.source)):
            raise UserError(
                f"--output {file} would stand among the frames of {arguments.source}; give another "
                "folder"
            )
    found = unmix(UnmixOptions(**options))
    for file in outputs:
        if file.suffix.lower() == ".csv":
            write_csv(found, file)
        elif file.suffix.lower() == ".json":
            write_targets_json(found, file)
        else:
            from d2freq.analysis.unmixing.tracks import plot_tracks

            parts = (found.images, found.points, found.covariances, found.tracks)
            plot_tracks(*parts, file, origin=found.origin, how="; ".join(found.lines))
    for line in [*found.lines, *(f"{file} written" for file in outputs)]:
        print(line)
    return 0
