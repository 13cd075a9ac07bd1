"""``d2freq cost``: parameters and multiply-adds of a config's model."""

import argparse

from tabulate import tabulate

from d2freq.analysis.cost.count import measure_cost
from d2freq.commands import options
from d2freq.engine.build import build
from d2freq.engine.config import load_config
from d2freq.errors import UserError
from d2freq.modeling.classification import ImageClassifier

SUMMARY = "parameters and multiply-adds (MACs) by module"


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
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    proposals = [] if arguments.proposals is None else [arguments.proposals]
    if min(*arguments.size, *proposals, arguments.frames, arguments.depth) < 1:
        raise UserError("all numbers are above 0")
    config = load_config(arguments.config_file, arguments.opts)
    model = build(config)
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
