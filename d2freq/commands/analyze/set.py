"""The topics of ``d2freq analyze`` that reproduce SET's figures.

Spectra: occlusion, spectrum, bands. A level drawn over its image: pca, saliency.
"""

import argparse

from d2freq.commands import Topics, options

__all__ = ["TOPICS"]


BANDS = (
    "A band is a range of the energy, in per cent, counted from low frequencies to high: each "
    "channel gets a 2-D Fourier transform, squared amplitudes are added over channels and images, "
    "and a frequency belongs to the band in which the energy up to its own circle lies. The zero "
    "frequency, often half of all energy, does not count (--zero-frequency counts it) and belongs "
    "to the band from 0. The radii at the ends of a band are fixed once, level by level"
)
OCCLUSION = (
    "The backbone runs once an image; then the amplitudes of a band are set to zero in its "
    "features, phases kept, the transform inverted, and the detector's own heads run on the "
    "result. Region background: objects' cells keep their features, the others are masked with "
    f"zeros in the objects' place. {BANDS}, on the unmasked features of the calibration images. AP "
    "is measured by the protocol for each mask, the change in per cent of the AP without a mask. "
    "Images go one by one, features with their padding"
)
SPECTRUM = (
    "A level's features are cropped to a square of cells around an object, the channel of the "
    "highest energy (sum of squares in the crop) is taken, and log(1 + amplitude) of its 2-D "
    "orthonormal Fourier transform is drawn with the zero frequency in the middle, on one scale "
    "for all panels of an object. The crop's side is the larger of --cells and --context times the "
    "object's longer side in cells; it is moved into the level where it would leave it"
)
STATISTICS = (
    "HBS's block of each level runs on the background of its features, zero in the objects, and "
    f"amplitudes before and after are compared band by band. {BANDS}, on the background before "
    "smoothing, so that the radii are the same before and after. Amplitudes of all channels and "
    "images are added up: the share is a band's sum over the sum of all frequencies, the zero "
    "frequency included; the mean is per frequency, channel and image. The block's output counts "
    "as it is, before objects are put back"
)


def _zero_frequency(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--zero-frequency", action="store_true", help="the channels' means count as energy"
    )


def _occlusion(parser: argparse.ArgumentParser) -> None:
    options.describe(parser, OCCLUSION)
    options.model(parser)
    default = ["mid=40-60", "high=90-100"]  # SET, Fig. 1
    parser.add_argument("--masks", nargs="+", default=default, metavar="[NAME=]LOW-HIGH")
    parser.add_argument(
        "--regions",
        nargs="+",
        choices=("full", "background"),
        default=["full", "background"],
        help="where the band is masked",
    )
    parser.add_argument("--levels", nargs="+", default=[], help="such as p3; without it all")
    parser.add_argument("--count", type=int, default=0, help="images to measure on; 0 is all")
    parser.add_argument(
        "--calibrate", type=int, default=32, help="images that the radii are fixed on; 0 is all"
    )
    parser.add_argument(
        "--foreground",
        choices=("nearest", "any"),
        default="nearest",
        help="a cell is an object's if its top left pixel is (nearest), or any pixel",
    )
    _zero_frequency(parser)
    options.add_overrides(parser)
    parser.set_defaults(run=_run_occlusion)


def _run_occlusion(arguments: argparse.Namespace) -> None:
    from tabulate import tabulate

    from d2freq.analysis.set.bands import parse_bands
    from d2freq.analysis.set.occlusion import measure_occlusion

    bands = parse_bands(arguments.masks, "--masks")
    (subject,) = options.load(arguments)
    record = measure_occlusion(
        subject,
        arguments.output,
        how=arguments.how,
        bands=bands,
        regions=list(dict.fromkeys(arguments.regions)),
        levels=arguments.levels,
        count=arguments.count,
        calibration=arguments.calibrate,
        rule=arguments.foreground,
        zero_frequency=arguments.zero_frequency,
    )
    rows = [[name, *values.values()] for name, values in record["AP"].items()]
    headers = ["mask", *record["AP"]["none"]]
    print(tabulate(rows, headers, tablefmt="pipe", floatfmt=".2f"))
    options.say(record, arguments.output)


def _spectrum(parser: argparse.ArgumentParser) -> None:
    options.describe(parser, SPECTRUM)
    options.model(parser)
    options.other_model(parser)
    options.level(parser)
    options.one_image(parser)
    parser.add_argument(
        "--objects",
        type=int,
        nargs="+",
        metavar="N",
        help="numbers of the image's objects, from 0; without it the first of each size class",
    )
    parser.add_argument(
        "--box", type=float, nargs=4, metavar=("X", "Y", "W", "H"), help="any place, image pixels"
    )
    parser.add_argument("--cells", type=int, default=16, help="side of the crop, at least")
    parser.add_argument("--context", type=float, default=2.0, help="side of the crop in objects")
    options.add_overrides(parser)
    parser.set_defaults(run=_run_spectrum)


def _run_spectrum(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.set.object_spectrum import show_spectra

    record = show_spectra(
        options.load(arguments),
        arguments.output,
        how=arguments.how,
        level=arguments.level,
        image_id=arguments.image_id,
        objects=arguments.objects,
        box=arguments.box,
        cells=arguments.cells,
        context=arguments.context,
    )
    options.say(record, arguments.output)


def _bands(parser: argparse.ArgumentParser) -> None:
    options.describe(parser, STATISTICS)
    options.model(parser)
    # SET, Fig. 1 has the middle and the high ones; 60-90 is what these leave out
    default = ["low=0-40", "mid=40-60", "upper=60-90", "high=90-100"]
    parser.add_argument("--bands", nargs="+", default=default, metavar="[NAME=]LOW-HIGH")
    parser.add_argument(
        "--levels", nargs="+", default=[], help="such as p3; without it all that are smoothed"
    )
    parser.add_argument("--count", type=int, default=1000, help="random images; 0 is all")
    parser.add_argument("--seed", type=int, default=0, help="of their choice")
    _zero_frequency(parser)
    options.add_overrides(parser)
    parser.set_defaults(run=_run_bands)


def _run_bands(arguments: argparse.Namespace) -> None:
    from tabulate import tabulate

    from d2freq.analysis.set.background import measure_bands
    from d2freq.analysis.set.bands import parse_bands

    bands = parse_bands(arguments.bands, "--bands")
    (subject,) = options.load(arguments)
    record = measure_bands(
        subject,
        arguments.output,
        how=arguments.how,
        bands=bands,
        levels=arguments.levels,
        count=arguments.count,
        seed=arguments.seed,
        zero_frequency=arguments.zero_frequency,
    )
    rows = [
        [name, state, *(values["amplitude_share"] for values in of_bands.values())]
        for name, states in {**record["levels"], "mean": record["mean_over_levels"]}.items()
        for state, of_bands in states.items()
    ]
    headers = ["share of amplitude", "smoothing", *(band.name for band in bands)]
    print(tabulate(rows, headers, tablefmt="pipe", floatfmt=".4f"))
    options.say(record, arguments.output)


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
    "bands": ("amplitudes of the background by frequency, before and after smoothing", _bands),
    "occlusion": ("AP by object size with bands of frequencies masked in the features", _occlusion),
    "spectrum": ("spectrum of a level around an object", _spectrum),
    "pca": ("a level before and after background smoothing as one picture", _pca),
    "saliency": ("gradient of the losses at each object, with means by size class", _saliency),
}
