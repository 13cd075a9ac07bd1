"""The topics of ``d2freq analyze`` that draw a level over its image: pca, saliency."""

import argparse

from d2freq.commands import Topics
from d2freq.commands import analyze_options as options

__all__ = ["TOPICS"]

PCA = (
    "The cells of a level are points of as many numbers as it has channels; each map is centred "
    "on its own mean and projected on the axis of its own largest variance. The axis is turned so "
    "that cells which a ground truth box touches are on average not lower than the others "
    "(without such cells: so that the value of the largest magnitude is positive). A SET model is "
    "shown before and after HBS, which gets the image's ground truth; another model as it is. "
    "Darker is higher, on one scale for all maps, or with --own-scale on one for each"
)
SALIENCY = (
    "The gradient of each branch's loss with respect to a level's features is taken on one image; "
    "the L2 norm over the channels of the mean of the branches' gradients is resized bilinearly to "
    "the network's input and summed over the pixels that a ground truth box touches. Means are "
    "over the objects of a size class, whose areas are of the image on disk. Batch norms and "
    "dropout stay as in inference, anchors and proposals are drawn by --seed, and running means by "
    "which losses are divided begin anew with each image. Every model is measured at its plain "
    "feature with factor 1. --recipe released repeats the published figure instead: SET models at "
    "the smoothed feature plus three times the perturbation, sums times three, others as before; "
    "its numbers do not compare the models"
)


def _pca(parser: argparse.ArgumentParser) -> None:
    options.describe(parser, PCA)
    options.model(parser)
    options.other_model(parser)
    options.level(parser)
    options.one_image(parser)
    parser.add_argument(
        "--own-scale", action="store_true", help="each map from its lowest value to its highest"
    )
    options.add_overrides(parser)
    parser.set_defaults(run=_run_pca)


def _run_pca(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.set.principal_component import show_components

    record = show_components(
        options.load(arguments),
        arguments.output,
        how=arguments.how,
        level=arguments.level,
        image_id=arguments.image_id,
        own_scale=arguments.own_scale,
    )
    options.say(record, arguments.output)


def _saliency(parser: argparse.ArgumentParser) -> None:
    options.describe(parser, SALIENCY)
    options.model(parser)
    options.other_model(parser)
    options.level(parser)
    options.one_image(parser)
    parser.add_argument(
        "--count", type=int, default=50, help="images that the means are of; 0 is all"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the anchors and proposals")
    parser.add_argument(
        "--recipe",
        choices=("plain", "released"),
        default="plain",
        help="released repeats the published figure, which does not measure models alike",
    )
    options.add_overrides(parser)
    parser.set_defaults(run=_run_saliency)


def _run_saliency(arguments: argparse.Namespace) -> None:
    from tabulate import tabulate

    from d2freq.analysis.set.saliency import measure_saliency

    record = measure_saliency(
        options.load(arguments),
        arguments.output,
        how=arguments.how,
        level=arguments.level,
        image_id=arguments.image_id,
        count=arguments.count,
        seed=arguments.seed,
        recipe=arguments.recipe,
    )
    found = record["saliency"]
    rows = [[entry["model"], *entry["mean_saliency"].values()] for entry in found]
    headers = ["mean saliency", *found[0]["mean_saliency"]]
    print(tabulate(rows, headers, tablefmt="pipe", floatfmt=".4g"))
    options.say(record, arguments.output)


TOPICS: Topics = {
    "pca": ("a level before and after background smoothing as one picture", _pca),
    "saliency": ("gradient of the losses at each object, with means by size class", _saliency),
}
