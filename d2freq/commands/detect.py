"""``d2freq detect``: a trained detector on a person's own pictures, its answers as files."""

import argparse
import sys
from typing import Any

from d2freq.utils.output import check_output, refuse_other_run
from d2freq.utils.present import present_source, present_weights

SUMMARY = "search pictures, folders, large images, GeoTIFFs and videos with a trained detector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sources, detector, tiles, choice, outputs. Nothing heavy is imported before the run."""
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="pictures, folders (with all below them), globs, .txt files of paths, COCO .json "
        "files, GeoTIFFs, videos",
    )
    model = parser.add_argument_group("detector")
    model.add_argument(
        "--weights",
        help="a training's output folder, which is enough alone; a checkpoint; or a file that "
        "'d2freq export' wrote",
    )
    model.add_argument("--config-file", help="without it the config.yaml beside the weights")
    model.add_argument("--engine", default="", help="without it by the weights' file; torch, ...")
    model.add_argument("--device", help="without it cuda where there is one, else cpu")
    model.add_argument("--half", action="store_true", help="in bfloat16, where that is quicker")
    tiles = parser.add_argument_group("tiles")
    tiles.add_argument(
        "--tile",
        action=_Tile,
        nargs="+",
        default="auto",
        metavar="auto|none|W H",
        help="auto goes by what training saw, and says what it chose; none takes each picture "
        "whole; or width and height in pixels (auto)",
    )
    tiles.add_argument(
        "--overlap",
        type=float,
        help="of neighbouring tiles: below 1 a share of the tile, from 1 on pixels; without it by "
        "the size of the objects",
    )
    tiles.add_argument(
        "--merge",
        default="nms",
        help="of what two tiles found: nms keeps the best box, weighted takes a mean, soft lowers "
        "the others' scores (nms)",
    )
    tiles.add_argument(
        "--merge-iou", type=float, default=0.5, metavar="IOU", help="overlap that merges (0.5)"
    )
    tiles.add_argument("--batch", type=int, default=4, help="tiles that run at once (4)")
    wanted = parser.add_argument_group("what is wanted")
    wanted.add_argument("--score", type=float, default=0.3, help="the least (0.3)")
    wanted.add_argument("--classes", help="names or numbers, with commas between: ship,person")
    wanted.add_argument("--limit", type=int, default=0, metavar="N", help="the first N pictures")
    wanted.add_argument("--images", metavar="DIR", help="where a COCO file's pictures lie")
    outputs = parser.add_argument_group("outputs")
    outputs.add_argument(
        "--output", default="detections", metavar="DIR", help="folder to write to (detections)"
    )
    outputs.add_argument(
        "--format",
        metavar="F,F",
        help="coco, csv, geojson, report and others, with commas between, or all; without it those "
        "that cost little",
    )
    outputs.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    outputs.add_argument("--overwrite", action="store_true", help="start anew where a run is")
    parser.add_argument(
        "--opts",
        nargs=argparse.REMAINDER,
        default=[],
        help="overrides of the config, behind all else: KEY VALUE, or key=value",
    )
    parser.set_defaults(run=_run, check=_check, more_sources=[])


class _Tile(argparse.Action):
    """auto, none, or two numbers; what comes behind them is a source."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        words = list(values)
        if words[0].isdigit():
            if len(words) < 2 or not words[1].isdigit():
                parser.error(f"--tile {words[0]}: a width and a height, such as 640 640")
            namespace.tile, rest = (int(words[0]), int(words[1])), words[2:]
        else:
            namespace.tile, rest = words[0], words[1:]
        namespace.more_sources = rest


def _check(arguments: argparse.Namespace) -> None:
    check_output(arguments.output, "--output", folder=True)
    refuse_other_run(arguments.output, resume=arguments.resume, overwrite=arguments.overwrite)
    for word in (*arguments.sources, *arguments.more_sources):
        present_source(word)
    # a file of d2freq export is left to its engine, which says more
    exported = (arguments.weights or "").lower().endswith((".pt", ".onnx", ".xml"))
    if arguments.weights and not arguments.config_file and not exported:
        present_weights(arguments.weights)


def _run(arguments: argparse.Namespace) -> int:
    from d2freq.inference.detect import DetectOptions, detect

    options = vars(arguments).copy()
    for name in ("run", "opts"):
        options.pop(name)
    options["sources"] = [*arguments.sources, *options.pop("more_sources")]
    options["overrides"] = arguments.opts
    options["classes"] = _words(arguments.classes)
    options["format"] = _words(arguments.format)
    try:
        outcome = detect(DetectOptions(**options))
    except KeyboardInterrupt:
        print("d2freq: interrupted; the same command with --resume goes on", file=sys.stderr)
        return 130
    for failed in outcome.found.failures:
        print(f"d2freq: {failed.picture.name}: {failed.failure}", file=sys.stderr)
    for line in outcome.lines:
        print(line)
    return 2 if outcome.found.failures else 0


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]
