"""The topics of ``d2freq visualize`` that look into HS-FPN: responses, levels, channels, scr."""

import argparse

from d2freq.commands import Topics

__all__ = ["TOPICS"]


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config-file", required=True, help="YAML or lazy config")
    parser.add_argument("--weights", help="checkpoint; without it the initial weights")
    _image(parser)


def _image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image", required=True, help="any picture; it is not resized")
    parser.add_argument("--output", required=True, help="the PNG to write")


def _overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="config overrides: KEY VALUE")


def _recorded(arguments: argparse.Namespace):
    from d2freq.analysis.hs_fpn.maps import read_image, record
    from d2freq.engine.build import config_model

    image = read_image(arguments.image)
    model = config_model(arguments.config_file, arguments.opts, weights=arguments.weights)
    return record(model, image)


def _responses(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    parser.add_argument("--level", type=int, default=2, help="2 is P2, of stride 4")
    parser.add_argument(
        "--alphas", type=float, nargs="+", default=[0, 0.1, 0.25, 0.5, 0.75, 1], metavar="ALPHA"
    )
    _overrides(parser)
    parser.set_defaults(run=_run_responses)


def _run_responses(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.hs_fpn.plots import plot_responses

    options = {"stage": arguments.level, "alphas": arguments.alphas}
    print(plot_responses(_recorded(arguments), arguments.output, **options))


def _levels(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    parser.add_argument("--levels", type=int, nargs="+", default=[2], metavar="LEVEL")
    _overrides(parser)
    parser.set_defaults(run=_run_levels)


def _run_levels(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.hs_fpn.plots import plot_levels

    print(plot_levels(_recorded(arguments), arguments.output, stages=arguments.levels))


def _channels(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _overrides(parser)
    parser.set_defaults(run=_run_channels)


def _run_channels(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.hs_fpn.plots import plot_channels

    print(plot_channels(_recorded(arguments), arguments.output))


def _scr(parser: argparse.ArgumentParser) -> None:
    _image(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--box", type=float, nargs=4, metavar=("X", "Y", "W", "H"), help="a target")
    where.add_argument("--annotations", help="COCO file: every object of the image is a target")
    sizes = [0, 1, 10, 50, 100]  # HS-FPN, Fig. 1
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--patch", type=int, default=40, help="side of the target region, pixels")
    parser.add_argument("--surround", type=float, default=3.0, help="neighbourhood, in patches")
    parser.set_defaults(run=_run_scr)


def _run_scr(arguments: argparse.Namespace) -> None:
    import numpy as np

    from d2freq.analysis.hs_fpn.clutter import boxes_of_image
    from d2freq.analysis.hs_fpn.maps import read_image
    from d2freq.analysis.hs_fpn.plots import plot_clutter

    weights = (0.299, 0.587, 0.114)  # grey by ITU-R BT.601, as OpenCV and Pillow
    grey = read_image(arguments.image).astype(np.float64) @ np.array(weights)
    boxes = [arguments.box]
    if arguments.annotations:
        boxes = boxes_of_image(arguments.annotations, arguments.image)
    options = {"sizes": arguments.sizes, "patch": arguments.patch, "surround": arguments.surround}
    ratios = plot_clutter(grey, boxes, arguments.output, **options)
    for size, values in ratios.items():
        print(f"DCT block of {size}: SCR {np.median(values):.3f} (median of {len(values)})")
    print(arguments.output)


TOPICS: Topics = {
    "responses": ("high-frequency responses of a level for several alphas", _responses),
    "levels": ("levels before and after HFP and SDP", _levels),
    "channels": ("the channel weights of HFP", _channels),
    "scr": ("signal to clutter ratio against the filtered DCT block", _scr),
}
