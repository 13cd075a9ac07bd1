"""What SET does inside a trained model (its Figs. 5 and 7), seed by seed.

    python benchmarks/set_inside.py WORK [--data sirst] [--seeds 1 2 3] [--images 20]

WORK is the folder of `evidence.py pretrained run`, with runs of the arms FCOS and FCOS SET.
Saliency: the mean over the objects of a size class, plain feature, factor 1, of the level with the
highest resolution, in the plain model and in the one trained with SET. Bands: the share of the
background's amplitude below 40 and above 90 per cent of the energy, before and after smoothing.
"""

import argparse
import math
import tempfile
from pathlib import Path

from common import where

from d2freq.analysis.model_and_data import Subject, load_subject
from d2freq.analysis.set.background import measure_bands
from d2freq.analysis.set.bands import parse_bands
from d2freq.analysis.set.saliency import measure_saliency

BANDS = parse_bands(["low=0-40", "high=90-100"], "BANDS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--data", default="sirst")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--images", type=int, default=20)
    args = parser.parse_args()
    print(f"{where()}\n")
    print("| seed | saliency by size class, FCOS -> FCOS with SET | low band | high band |")
    print("|---|---|---|---|")
    for seed in args.seeds:
        plain, trained = (
            subject(args.work / args.data / f"{arm}_{seed}") for arm in ("FCOS", "FCOS_SET")
        )
        print(f"| {seed} | {saliency(plain, trained, args.images)} | ", end="")
        print(f"{bands(trained, args.images)} |", flush=True)


def subject(run: Path) -> Subject:
    """The final model of a run, on the data set that its config tests on."""
    weights = str(run / "model_final.pth")
    return load_subject(str(run / "config.yaml"), ["MODEL.DEVICE", "cpu"], weights=weights)


def saliency(plain: Subject, trained: Subject, images: int) -> str:
    """Each size class that has objects: its name, both means and the number of objects."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure_saliency([plain, trained], Path(folder) / "found.png", count=images)
    before, after = found.saliency
    return ", ".join(
        f"{scale} {mean:.4f} -> {after.mean_saliency[scale]:.4f} ({before.objects[scale]})"
        for scale, mean in before.mean_saliency.items()
        if not math.isnan(mean)
    )


def bands(trained: Subject, images: int) -> str:
    """Of the smoothed level with the highest resolution, a cell for each band."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure_bands(trained, Path(folder) / "found.png", bands=BANDS, count=images)
    level = found.levels[found.settings.levels[0]]
    return " | ".join(
        f"{level['before'][band.name].amplitude_share:.3f} -> "
        f"{level['after'][band.name].amplitude_share:.3f}"
        for band in BANDS
    )


if __name__ == "__main__":
    main()
