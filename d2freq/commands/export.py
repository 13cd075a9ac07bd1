"""``d2freq export``: a config's detector as a TorchScript, ONNX or OpenVINO file."""

import argparse
from dataclasses import asdict

from d2freq.commands import options
from d2freq.errors import UserError
from d2freq.utils.late import Later
from d2freq.utils.present import present_weights

SUMMARY = "write a detector as TorchScript, ONNX or OpenVINO, for pictures of any size"
WRITERS = {
    name: Later("d2freq.engine.export", f"export_{name}")
    for name in ("torchscript", "onnx", "openvino")
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Config, weights, format, file."""
    options.add(parser, "--config-file", required=False)
    options.add(parser, "opts")
    options.add(
        parser,
        "--weights",
        help="a checkpoint, or a training's output folder, which is enough alone; without it the "
        "weights are random",
    )
    parser.add_argument("--format", required=True, choices=tuple(WRITERS))
    parser.add_argument("--output", required=True, help="the file to write")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(256, 256),
        metavar=("H", "W"),
        help="of the random pictures that are traced; the file takes any size",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="convolutions in 8 bits, faster on a CPU with instructions for it, at some AP; for "
        "onnx and openvino",
    )
    parser.add_argument(
        "--calibration",
        metavar="SOURCE",
        help="pictures whose ranges --int8 takes: a registered data set, or what d2freq detect "
        "searches",
    )
    parser.set_defaults(run=_run, check=_check)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.weights and not arguments.config_file:
        present_weights(arguments.weights)


def _run(arguments: argparse.Namespace) -> None:
    from d2freq.engine.build import build
    from d2freq.engine.config import load_config
    from d2freq.engine.export import OUTPUTS
    from d2freq.engine.tasks.detection import classes_of, gives_masks
    from d2freq.engine.training_data import TrainingData, known_names
    from d2freq.inference.about import about_model, fitting_names
    from d2freq.inference.calibration import calibration_pictures
    from d2freq.inference.load import find_parts

    int8 = _checked_int8(arguments)
    _check_ending(arguments.output, arguments.format)
    parts = find_parts(arguments.config_file, arguments.weights)
    config = load_config(parts.config_file, arguments.opts)
    model = build(config, weights=parts.weights or None)
    data = parts.data or TrainingData()
    names = data.classes or known_names([*config.train_sets(), *config.test_sets()])
    names = fitting_names(names, classes_of(model), config.source)
    about = about_model(config, model, names, picture=data.picture)
    write = WRITERS[arguments.format]
    words = {"calibration": calibration_pictures(arguments.calibration, about)} if int8 else {}
    card = asdict(about) | {"trained_on": parts.data and asdict(parts.data)}
    write(model, arguments.output, size=tuple(arguments.size), about=card, **words)
    notes = "; its masks are left out" if gives_masks(model) else ""
    notes += "" if parts.weights else "; untrained: no --weights given"
    print(
        f"{arguments.output}: pixels (B, {about.channels}, H, W) float32, 0 to 255, "
        f"{about.channel_order} -> {', '.join(OUTPUTS)}{notes}"
    )


def _check_ending(path: str, wanted: str) -> None:
    """Refuse a name by which another engine would read the file."""
    from d2freq.inference.engines.registry import FILE_ENGINES, engine_of

    endings = FILE_ENGINES[wanted].suffixes
    if not path.lower().endswith(endings):
        other = engine_of(path)
        hint = f", or take --format {other}" if other in FILE_ENGINES else ""
        raise UserError(
            f"--output {path}: --format {wanted} writes files that end in "
            f"{' or '.join(endings)}, by which d2freq detect knows them; name it so{hint}"
        )


def _checked_int8(arguments: argparse.Namespace) -> bool:
    if arguments.int8 != bool(arguments.calibration):
        raise UserError("--int8 and --calibration SOURCE need each other")
    if arguments.int8 and arguments.format == "torchscript":
        raise UserError("--int8: TorchScript stays in float; take --format onnx or openvino")
    return arguments.int8
