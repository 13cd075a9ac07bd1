"""``d2freq cost``: parameters and multiply-adds of a config's model, and its time and memory."""

import argparse

from d2freq.commands import options
from d2freq.errors import UserError

SUMMARY = "parameters and multiply-adds (MACs) by module; time and memory with --measure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Config, rule, image size."""
    options.add(parser, "--config-file", "opts")
    parser.add_argument(
        "--rule",
        default="all",
        choices=("all", "paper"),
        help="all (default): every parameter and product, DCT and attention included; paper: as "
        "the tables of HS-FPN and the figures of networks on DCT channels count (trainable "
        "parameters, layer objects only)",
    )
    parser.add_argument(
        "--size",
        action=options.Several,
        kind=int,
        most=2,
        default=[],
        metavar="PIXELS",
        help="side, or height width; default: 800, a classifier's own square",
    )
    parser.add_argument(
        "--proposals",
        type=int,
        help="boxes for the RoI heads; without it as many as the config keeps in testing, with "
        "--rule paper 1000",
    )
    parser.add_argument(
        "--frames", type=int, default=20, help="of a trajectory, for unmixing models"
    )
    parser.add_argument("--depth", type=int, default=2, help="parts of the module names shown")
    measured = parser.add_argument_group("measuring")
    measured.add_argument(
        "--measure",
        action="store_true",
        help="also run the model, one picture of noise at a time, from pixels to detections, and "
        "tell latency and peak memory: on a CPU of the whole process (where the system does not "
        "let it be counted anew, since its start), on a GPU of the tensors",
    )
    options.add(
        measured,
        "--weights",
        help="checkpoint; without it the weights are random, and there may be fewer detections to "
        "sort out than a trained model has",
    )
    measured.add_argument("--device", help="cpu or cuda; without it the config's")
    measured.add_argument("--repeats", type=int, default=5, metavar="N", help="runs (5)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from tabulate import tabulate

    from d2freq.analysis.cost.count import measure_cost
    from d2freq.analysis.cost.speed import measure_speed
    from d2freq.engine.build import build
    from d2freq.engine.config import load_config
    from d2freq.engine.config.device import present_device
    from d2freq.modeling.classification import ImageClassifier

    proposals = [] if arguments.proposals is None else [arguments.proposals]
    numbers = (arguments.frames, arguments.depth, arguments.repeats)
    if min(*arguments.size, *proposals, *numbers) < 1:
        raise UserError("all numbers are above 0")
    if not arguments.measure and (arguments.weights or arguments.device):
        raise UserError("--weights and --device are of --measure; MACs are the same with any")
    config = load_config(arguments.config_file, arguments.opts)
    device = arguments.device and present_device(arguments.device, "--device")
    model = build(config, device=device, weights=arguments.weights)
    side = config.square if isinstance(model, ImageClassifier) else None
    sides = arguments.size or [side or 800]
    height, width = sides[0], sides[-1]
    cost = measure_cost(
        model,
        rule=arguments.rule,
        size=(height, width),
        proposals=arguments.proposals,
        frames=arguments.frames,
    )
    rows = cost.rows(arguments.depth).items()
    body = [(name or "(itself)", p / 1e6, m / 1e9) for name, (p, m) in rows]
    parameters, macs = cost.total
    body.append(("total", parameters / 1e6, macs / 1e9))
    print(f"{arguments.config_file}: {cost.subject}, rule {arguments.rule}")
    headers = ("module", "parameters, M", "MACs, G")
    print(tabulate(body, headers, tablefmt="pipe", floatfmt=("", ".3f", ".3f")))
    if arguments.measure:
        speed = measure_speed(
            model, size=(height, width), frames=arguments.frames, repeats=arguments.repeats
        )
        print(speed.text())
