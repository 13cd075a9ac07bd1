"""``d2freq export``: a config's detector as a TorchScript, ONNX or OpenVINO file."""

import argparse
from dataclasses import asdict

from d2freq.commands import options
from d2freq.engine.build import build
from d2freq.engine.config import load_config
from d2freq.engine.export import OUTPUTS, export_onnx, export_openvino, export_torchscript
from d2freq.engine.tasks.detection import classes_of, gives_masks
from d2freq.engine.training_data import known_names
from d2freq.inference.about import about_model, fitting_names
from d2freq.inference.load import find_parts

SUMMARY = "write a detector as TorchScript, ONNX or OpenVINO, for pictures of any size"
WRITERS = {
    "torchscript": export_torchscript,
    "onnx": export_onnx,
    "openvino": export_openvino,
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
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    parts = find_parts(arguments.config_file, arguments.weights)
    config = load_config(parts.config_file, arguments.opts)
    model = build(config, weights=parts.weights or None)
    names = parts.data.classes if parts.data is not None else ()
    names = names or known_names([*config.train_sets(), *config.test_sets()])
    names = fitting_names(names, classes_of(model), config.source)
    about = about_model(config, model, names)
    write = WRITERS[arguments.format]
    write(model, arguments.output, size=tuple(arguments.size), about=asdict(about))
    notes = "; its masks are left out" if gives_masks(model) else ""
    notes += "" if parts.weights else "; untrained: no --weights given"
    print(
        f"{arguments.output}: pixels (B, {about.channels}, H, W) float32, 0 to 255, "
        f"{about.channel_order} -> {', '.join(OUTPUTS)}{notes}"
    )
