"""``d2freq demo``: scenes, a detector that learns them, its detections, and a page to look at."""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from d2freq.commands import options
from d2freq.errors import UserError

SUMMARY = "generate scenes, train a detector on them, and show what it finds, in some minutes"
CONFIG = "demo/faster_rcnn_R18_HSFPN_scenes_quick"
STATE = "demo.json"  # in the folder: what was asked for, and whether the training has ended
PICTURES = 12
SCORE = 0.05  # the detector's own threshold, so that the page has the same AP as the training
FORMATS = ("coco", "csv", "report")  # the pictures are drawn beside them, with hits and misses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where it goes, and what is trained."""
    parser.description = (
        f"{SUMMARY}. An interrupted demo goes on where the same command is given again; a finished "
        "one is shown again. With another config or other overrides it is trained anew."
    )
    options.add(parser, "--config-file", required=False, default=CONFIG, help=f"({CONFIG})")
    parser.add_argument(
        "--output", default="output/demo", metavar="DIR", help="folder of the run (output/demo)"
    )
    parser.add_argument("--overwrite", action="store_true", help="train anew in any case")
    parser.add_argument("--verbose", action="store_true", help="print all that the log file has")
    options.add(parser, "opts")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.detections.pictures import visualize_detections
    from d2freq.analysis.loss_curve import plot_losses
    from d2freq.data.catalog import dataset_root
    from d2freq.data.scenes.dataset import describe, generate_scenes

    began, folder = time.monotonic(), Path(arguments.output)
    _check(arguments.config_file, arguments.opts)
    scenes = dataset_root() / "tiny_scenes"
    print(_duration(arguments), flush=True)
    _say("1 of 3, some seconds: generate aerial scenes")
    files = generate_scenes(scenes)
    print("\n".join(describe(file) for file in files.values()), flush=True)
    _say("2 of 3, nearly all of the time: train; eta in the lines below is the time that remains")
    trained = _train(folder, arguments)
    _say("3 of 3, less than a minute: search the validation pictures and draw what was found")
    report = _detect(folder, files["val"], scenes / "val", again=not trained)
    found = folder / "inference" / "coco_instances_results.json"
    visualize_detections("tiny_scenes_val", found, folder / "pictures", count=PICTURES)
    curve = plot_losses(folder / "metrics.json", folder / "loss.png")
    print(f"\nThe demo took {(time.monotonic() - began) / 60:.1f} minutes. It has left:")
    for path, what in (
        (folder / "inference" / "tiny_results.json", "AP and all else that was measured"),
        (folder / "pictures", "hits, false alarms and misses on pictures that it was not shown"),
        (curve, "how the losses fell, and the AP at the end"),
        (report.parent, "what it found on all of these pictures, as COCO results, CSV and a page"),
    ):
        print(f"  {path}: {what}")
    print(
        "This detector knows generated scenes alone: for your own pictures, train on your own data."
    )
    print(f"Open this page in a browser:\n  {report.resolve().as_uri()}")


def _duration(arguments: argparse.Namespace) -> str:
    """How long it will take, as far as that is known before the first step."""
    from d2freq.utils.files import read_json

    asked = {"config_file": arguments.config_file, "opts": list(arguments.opts), "trained": True}
    if read_json(Path(arguments.output) / STATE) == asked and not arguments.overwrite:
        return "The demo is trained already with these settings; to show it takes a minute at most."
    if arguments.config_file != CONFIG or arguments.opts:
        return "How long the demo takes depends on its settings: eta tells, once the training runs."
    return (
        "The demo takes about six minutes on two idle CPU cores, longer where the cores are busy; "
        f"this machine has {os.cpu_count()}. Interrupted, it goes on when it is called again."
    )


def _say(step: str) -> None:
    print(f"\nStep {step}", flush=True)


def _check(config_file: str, opts: Sequence[str]) -> None:
    """Refuse mistyped words, before they take the place of the former demo's in the folder."""
    from d2freq.engine.config import load_config

    key = _folder_key(config_file)
    if any(word.split("=")[0] == key for word in opts):
        raise UserError(f"{key}: the demo's folder is named by --output")
    load_config(config_file, opts)


def _folder_key(config_file: str) -> str:
    from d2freq.engine.config import is_lazy
    from d2freq.utils.config_names import find_config

    return "train.output_dir" if is_lazy(find_config(config_file)) else "OUTPUT_DIR"


def _train(folder: Path, arguments: argparse.Namespace) -> bool:
    """Train, or go on; False where it is done already."""
    from d2freq.engine.resume import check_folder
    from d2freq.engine.weights.folder import checkpoints
    from d2freq.train import start
    from d2freq.train_arguments import build_parser
    from d2freq.utils.files import read_json, write_json

    config_file, opts, anew = arguments.config_file, arguments.opts, arguments.overwrite
    asked: dict[str, Any] = {"config_file": config_file, "opts": list(opts)}
    state = folder / STATE
    before = read_json(state)
    if before == asked | {"trained": True} and not anew:
        print(f"{folder}: trained already with these settings; --overwrite trains anew")
        return False
    goes_on = before == asked | {"trained": False} and bool(checkpoints(folder)) and not anew
    # a demo of other settings is replaced, another training of the user's only when asked
    replaces = not goes_on and (before is not None or anew)
    check_folder(str(folder), resume=goes_on, overwrite=replaces)
    if before not in (None, asked | {"trained": True}, asked | {"trained": False}):
        print(f"{folder}: this takes the place of the demo with {_settings(before)}", flush=True)
    flags = ["--resume"] * goes_on + ["--overwrite"] * replaces
    flags += ["--verbose"] * arguments.verbose
    key = _folder_key(config_file)
    place = [key, str(folder)] if key == "OUTPUT_DIR" else [f"{key}={folder}"]
    folder.mkdir(parents=True, exist_ok=True)
    write_json(state, asked | {"trained": False}, indent=1)
    start(build_parser().parse_args(["--config-file", config_file, *flags, *place, *opts]))
    write_json(state, asked | {"trained": True}, indent=1)
    return True


def _settings(state: Any) -> str:
    """What a former demo was asked for, as its command had it."""
    words = state.get("opts", []) if isinstance(state, dict) else []
    config = state.get("config_file", "") if isinstance(state, dict) else ""
    return f"{config or 'another config'} and {' '.join(words) or 'no overrides'}"


def _detect(folder: Path, truth: Path, images: Path, *, again: bool) -> Path:
    """Search the validation pictures with what was trained; returns the report."""
    from d2freq.inference.detect import DetectOptions, detect
    from d2freq.inference.report.limits import REPORT_FILE

    output = folder / "detections"
    wish = DetectOptions(
        sources=[str(truth)],
        images=str(images),
        weights=str(folder),
        output=str(output),
        score=SCORE,
        format=list(FORMATS),
        resume=again and output.is_dir(),
        overwrite=not again,
    )
    print("\n".join(detect(wish).lines))
    return output / REPORT_FILE
