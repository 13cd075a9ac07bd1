"""``d2freq export``: a config's detector as a TorchScript or ONNX file."""

import argparse

from d2freq.commands import options
from d2freq.engine.build import config_model
from d2freq.engine.export import OUTPUTS, export_onnx, export_torchscript
from d2freq.engine.tasks.detection import gives_masks

SUMMARY = "write a detector as TorchScript or ONNX, for images of any size"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Config, weights, format, file."""
    options.add(parser, "--config-file", "opts")
    options.add(parser, "--weights", help="a checkpoint; without it the weights are random")
    parser.add_argument("--format", required=True, choices=("torchscript", "onnx"))
    parser.add_argument("--output", required=True, help="the file to write")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(256, 256),
        metavar=("H", "W"),
        help="of the random image that is traced; the file takes any size",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    model = config_model(arguments.config_file, arguments.opts, weights=arguments.weights)
    write = export_torchscript if arguments.format == "torchscript" else export_onnx
    write(model, arguments.output, size=tuple(arguments.size))
    channels = getattr(model, "input_format", None) or "the model's order"
    notes = "; its masks are left out" if gives_masks(model) else ""
    notes += "" if arguments.weights else "; untrained: no --weights given"
    print(
        f"{arguments.output}: image (3, H, W) float32, 0 to 255, {channels} -> "
        f"{', '.join(OUTPUTS)}{notes}"
    )
