"""``d2freq visualize unmixing``: what unmixing models make of closely spaced targets."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d2freq.commands import options
from d2freq.commands.topics import Topic
from d2freq.errors import UserError

if TYPE_CHECKING:
    from d2freq.analysis.unmixing.maps import Unmixed

__all__ = ["UNMIXING"]

FIGURES = ("methods", "sequence", "overlap")


def _unmixing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--figure",
        choices=FIGURES,
        default="methods",
        help="methods: a row a trajectory, a column a model; sequence: a column a frame of one "
        "trajectory; overlap: two sources that come closer, which needs no data",
    )
    parser.add_argument(
        "--model",
        nargs="+",
        action="append",
        metavar=("CONFIG", "WEIGHTS"),
        help="YAML or lazy config, and a checkpoint where it has one; once for each model",
    )
    text = "of the models; without it those of the configs"
    parser.add_argument("--names", action=options.Several, help=text)
    parser.add_argument("--dataset", default="seqcsist_test", help="registered name")
    parser.add_argument(
        "--trajectories",
        action=options.Several,
        kind=int,
        default=[0, 1, 2, 3],
        metavar="ID",
        help="ids",
    )
    parser.add_argument(
        "--frames",
        action=options.Several,
        kind=int,
        default=[2, 5, 8, 11, 14, 17],
        metavar="FRAME",
    )
    parser.add_argument("--noise", type=float, default=0.0, help="sigma on frames, grey levels")
    parser.add_argument("--points", action="store_true", help="also decode and draw the targets")
    parser.add_argument(
        "--margin", type=float, default=2.5, help="pixels shown about the targets; 0 is all"
    )
    distances = [2.0, 1.5, 0.955, 0.6, 0.424]  # 0.955 px is one R; the last the data set's least
    parser.add_argument(
        "--distances", action=options.Several, kind=float, default=distances, metavar="PIXELS"
    )
    options.add(parser, "--output")
    options.add(parser, "opts", help="config overrides for every model: KEY VALUE")


def _draw(
    output: str,
    *,
    figure: str,
    trajectories: list[int],
    frames: list[int],
    margin: float,
    distances: list[float],
    **given: Any,
) -> Path:
    from d2freq.analysis.unmixing.plots import plot_methods, plot_overlap, plot_sequence

    if figure == "overlap":
        return plot_overlap(output, distances=distances)
    around = margin if margin > 0 else None
    if figure == "methods":
        scenes = _scenes(trajectories, **given)
        return plot_methods(scenes, output, frame=frames[0], margin=around)
    (scene,) = _scenes(trajectories[:1], **given)
    return plot_sequence(scene, output, frames=frames, margin=around)


def _scenes(
    trajectories: list[int],
    *,
    model: Sequence[Sequence[str]] | None,
    names: list[str] | None,
    opts: Sequence[str],
    dataset: str,
    noise: float,
    points: bool,
) -> list["Unmixed"]:
    from d2freq.analysis.unmixing.maps import unmix
    from d2freq.engine.build import config_model

    pairs = model or []
    names = names or [_name(words[0]) for words in pairs]
    if not pairs:
        raise UserError("--model is missing: a config, and its weights where it has some")
    if len(names) != len(pairs) or len(set(names)) < len(names):
        raise UserError(f"--names: {len(pairs)} models need as many different names, not {names}")
    models = {}
    for name, words in zip(names, pairs, strict=True):
        if len(words) > 2:
            raise UserError(f"--model {' '.join(words)}: a config and at most one file of weights")
        weights = words[1] if len(words) == 2 else None
        models[name] = config_model(words[0], opts, weights=weights)
    return unmix(models, dataset, trajectories, noise=noise, points=points)


def _name(config: str) -> str:
    """``configs/derefnet/ista_net_seqcsist.yaml`` -> ``ista_net``."""
    return Path(config).stem.removesuffix("_seqcsist")


UNMIXING = Topic(
    "unmixing",
    "closely spaced targets: methods side by side, a sequence, overlap",
    _unmixing,
    _draw,
)
