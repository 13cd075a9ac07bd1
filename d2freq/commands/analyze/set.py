"""The topics of ``d2freq analyze`` that reproduce SET's figures.

Spectra: occlusion, spectrum, bands. A level drawn over its image: pca, saliency.
"""

import argparse
from functools import partial

from d2freq.analysis import methods
from d2freq.commands import options
from d2freq.commands.analyze.model import add_compared, add_model
from d2freq.commands.topics import Topic
from d2freq.utils.late import Later

__all__ = ["TOPICS"]

parse_bands = Later("d2freq.analysis.set.bands", "parse_bands")


def _bands(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    # SET, Fig. 1 has the middle and the high ones; 60-90 is what these leave out
    default = ["low=0-40", "mid=40-60", "upper=60-90", "high=90-100"]
    add = parser.add_argument
    add("--bands", action=options.Several, default=default, metavar="[NAME=]LOW-HIGH")
    text = "such as p3; without it all that are smoothed"
    add("--levels", action=options.Several, default=[], help=text)
    options.add(parser, "--count", default=1000, help="random images; 0 is all")
    options.add(parser, "--seed", help="of their choice")
    _zero_frequency(parser)


def _occlusion(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--masks",
        dest="bands",
        action=options.Several,
        default=["mid=40-60", "high=90-100"],  # SET, Fig. 1
        metavar="[NAME=]LOW-HIGH",
    )
    parser.add_argument(
        "--regions",
        action=options.Several,
        allowed=methods.REGIONS,
        default=list(methods.REGIONS),
        help=f"where the band is masked: {', '.join(methods.REGIONS)}",
    )
    text = "such as p3; without it all"
    parser.add_argument("--levels", action=options.Several, default=[], help=text)
    options.add(parser, "--count", default=0, help="images to measure on; 0 is all")
    parser.add_argument(
        "--calibrate",
        dest="calibration",
        type=int,
        default=32,
        metavar="CALIBRATE",
        help="images that the radii are fixed on; 0 is all",
    )
    parser.add_argument(
        "--foreground",
        dest="rule",
        choices=("nearest", "any"),
        default="nearest",
        help="a cell is an object's if its top left pixel is (nearest), or any pixel",
    )
    _zero_frequency(parser)


def _spectrum(parser: argparse.ArgumentParser) -> None:
    add_compared(parser)
    parser.add_argument(
        "--objects",
        action=options.Several,
        kind=int,
        metavar="N",
        help="numbers of the image's objects, from 0; without it the first of each size class",
    )
    parser.add_argument(
        "--box", type=float, nargs=4, metavar=("X", "Y", "W", "H"), help="any place, image pixels"
    )
    parser.add_argument("--cells", type=int, default=16, help="side of the crop, at least")
    parser.add_argument("--context", type=float, default=2.0, help="side of the crop in objects")


def _pca(parser: argparse.ArgumentParser) -> None:
    add_compared(parser)
    parser.add_argument(
        "--own-scale", action="store_true", help="each map from its lowest value to its highest"
    )


def _saliency(parser: argparse.ArgumentParser) -> None:
    add_compared(parser)
    options.add(parser, "--count", default=50, help="images that the means are of; 0 is all")
    options.add(parser, "--seed", help="of the anchors and proposals")
    parser.add_argument(
        "--recipe",
        choices=methods.RECIPES,
        default="plain",
        help="released repeats the published figure, which does not measure models alike",
    )


def _zero_frequency(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--zero-frequency", action="store_true", help="the channels' means count as energy"
    )


def _measure(module: str, name: str) -> Later:
    return Later(f"d2freq.analysis.set.{module}", name)


TOPICS = (
    Topic(
        "bands",
        "amplitudes of the background by frequency, before and after smoothing",
        _bands,
        _measure("background", "measure_bands"),
        method=methods.BACKGROUND,
        words={"bands": partial(parse_bands, option="--bands")},
    ),
    Topic(
        "occlusion",
        "AP by object size with bands of frequencies masked in the features",
        _occlusion,
        _measure("occlusion", "measure_occlusion"),
        method=methods.OCCLUSION,
        words={"bands": partial(parse_bands, option="--masks")},
    ),
    Topic(
        "spectrum",
        "spectrum of a level around an object",
        _spectrum,
        _measure("object_spectrum", "show_spectra"),
        method=methods.SPECTRUM,
    ),
    Topic(
        "pca",
        "a level before and after background smoothing as one picture",
        _pca,
        _measure("principal_component", "show_components"),
        method=methods.PCA,
    ),
    Topic(
        "saliency",
        "gradient of the losses at each object, with means by size class",
        _saliency,
        _measure("saliency", "measure_saliency"),
        method=methods.SALIENCY,
    ),
)
