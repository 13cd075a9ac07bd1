"""AP without a band of frequencies in the features: occlusion by frequency (SET, Fig. 1).

Shape shorthand: C channels, h x w of a level, M its foreground mask (1, 1, h, w).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor
from tqdm import tqdm

from d2freq.analysis.figures import new_figure, save_figure
from d2freq.analysis.methods import OCCLUSION as METHOD
from d2freq.analysis.methods import REGIONS
from d2freq.analysis.model_and_data import Subject, areas_of, choose, scales_of
from d2freq.analysis.result import About, Result
from d2freq.analysis.set.bands import Band, Radii, fixed_radii
from d2freq.analysis.set.features import detect, pick_level, pyramid
from d2freq.errors import UserError
from d2freq.evaluation import TinyCOCOEvaluator
from d2freq.ops.spectrum import BELOW_ZERO, SpectrumSum, band_mask, filter_bands

__all__ = ["METHOD", "REGIONS", "Occlusion", "calibrate", "mask_level", "measure_occlusion"]

UNMASKED = "none"


@dataclass(frozen=True)
class Settings:
    """By which choices bands were masked."""

    levels: list[str]
    regions: list[str]
    foreground: str
    zero_frequency_counts: bool
    calibration_images: int


@dataclass(frozen=True)
class Occlusion(Result):
    """AP and its change for each mask, by measure (AP, APvt, ...) in per cent."""

    settings: Settings
    images: int
    objects: dict[str, int]  # by size class
    bands: list[Band]
    radii_cycles_per_cell: dict[str, Radii]  # by level
    per_cent_of_all_energy: dict[str, dict[str, float]]  # by level, then band or zero frequency
    AP: dict[str, dict[str, float]]  # "none" first, which masks nothing
    change_per_cent: dict[str, dict[str, float]]  # NaN where the AP of "none" is 0 or NaN
    all_measures: dict[str, dict[str, float]]  # all that the evaluator has
    notes: list[str]

    def table(self) -> str:
        """AP, a row a mask."""
        rows = [[name, *values.values()] for name, values in self.AP.items()]
        return tabulate(rows, ["mask", *self.AP[UNMASKED]], tablefmt="pipe", floatfmt=".2f")


@dataclass(frozen=True)
class Mask:
    """A band that is taken out of all chosen levels, everywhere or in the background alone."""

    band: Band
    region: str

    @property
    def name(self) -> str:
        return self.band.name if self.region == "full" else f"{self.band.name}, {self.region}"

    @property
    def label(self) -> str:
        return self.band.label + (" (background)" if self.region == "background" else "")


def measure_occlusion(
    subject: Subject,
    output: str | os.PathLike,
    *,
    bands: Sequence[Band],
    regions: Sequence[str] = REGIONS,
    levels: Sequence[str] = (),
    count: int = 0,
    calibration: int = 32,
    rule: str = "nearest",
    zero_frequency: bool = False,
) -> Occlusion:
    """Run the detector on masked features over a data set, measure AP, write PNG and JSON.

    Args:
        bands: what to mask, one after the other.
        regions: "full", "background" or both; each counts once.
        levels: names; none for all levels of the backbone.
        count: images at even steps through the data set; 0 is all.
        calibration: images at even steps whose features fix the radii; 0 is all.
        rule: of the foreground mask, see foreground_mask.
        zero_frequency: whether it counts as energy, see SpectrumSum.radius.

    Raises:
        UserError: an unknown level, a level without energy, or no band.
    """
    if not bands:
        raise UserError("--masks: name a band at least, such as high=90-100")
    if subject.protocol.targets is not None:
        raise UserError(
            f"protocol {subject.protocol.name} gives no AP, which masks are compared by: "
            "TEST.TINY.PROTOCOL must be another"
        )
    names = [pick_level(subject.detector, level) for level in levels]
    names = names or list(subject.detector.backbone.output_shape())
    regions = list(dict.fromkeys(regions))
    masks = [Mask(band, region) for region in regions for band in bands]
    learned = choose(subject.records, calibration)
    radii, energies = calibrate(subject, learned, bands, names, zero_frequency=zero_frequency)
    records = choose(subject.records, count)
    evaluators = {
        name: TinyCOCOEvaluator(subject.dataset, distributed=False, protocol=subject.protocol)
        for name in (UNMASKED, *(mask.name for mask in masks))
    }
    objects = dict.fromkeys((area.label for area in subject.protocol.areas), 0)
    for record in tqdm(records, desc="masked detection", unit="image"):
        image = subject.image(record)
        seen = pyramid(subject.detector, image)
        for label, inside in scales_of(areas_of(image), subject.protocol).items():
            objects[label] += int(inside.sum())
        found = detect(subject.detector, image, seen.features)
        evaluators[UNMASKED].process([image.inputs], [found])
        for mask in masks:
            masked = dict(seen.features)
            for level in names:
                feature, kept = seen.features[level], None
                if mask.region == "background":
                    kept = seen.foreground(feature, image, rule=rule)
                masked[level] = mask_level(feature, radii[level][mask.band.name], kept)
            found = detect(subject.detector, image, masked)
            evaluators[mask.name].process([image.inputs], [found])
    ids = None if len(records) == len(subject.records) else [r["image_id"] for r in records]
    results = {name: evaluator.evaluate(ids)["bbox"] for name, evaluator in evaluators.items()}
    keys = ["AP", *(f"AP{area.label}" for area in subject.protocol.areas)]
    chosen = {name: {key: result[key] for key in keys} for name, result in results.items()}
    notes = [f"no object of scale {label}: its AP is null" for label, n in objects.items() if not n]
    notes += _empty_bands(energies, bands)
    result = Occlusion(
        about=About.of("occlusion", METHOD, [subject]),
        settings=Settings(names, regions, rule, zero_frequency, len(learned)),
        images=len(records),
        objects=objects,
        bands=list(bands),
        radii_cycles_per_cell=radii,
        per_cent_of_all_energy=energies,
        AP=chosen,
        change_per_cent={m.name: _change(chosen[m.name], chosen[UNMASKED]) for m in masks},
        all_measures=results,
        notes=notes,
    )
    _plot(result, masks, keys, output)
    result.write(output)
    return result


def calibrate(
    subject: Subject,
    records: Sequence[dict],
    bands: Sequence[Band],
    levels: Sequence[str],
    *,
    zero_frequency: bool = False,
) -> tuple[dict[str, Radii], dict[str, dict[str, float]]]:
    """Fix the radii of the bands at each level from the energy of all the records' features.

    Returns:
        level -> band -> radii, and level -> band -> the share of all energy that lies between
        them, in per cent, and that of the zero frequency.
    """
    totals = {level: SpectrumSum() for level in levels}
    for record in tqdm(records, desc="radii of the bands", unit="image"):
        features = pyramid(subject.detector, subject.image(record)).features
        for level, total in totals.items():
            total.add(features[level])
    radii, energies = {}, {}
    for level, total in totals.items():
        ends = fixed_radii(total, bands, level, zero_frequency=zero_frequency)
        zero, *held = total.statistics([(BELOW_ZERO, 0.0), *ends.values()])
        radii[level] = ends
        energies[level] = {b: 100 * s.energy_share for b, s in zip(ends, held, strict=True)}
        energies[level]["zero frequency"] = 100 * zero.energy_share
    return radii, energies


def mask_level(
    feature: Tensor, ends: tuple[float, float], foreground: Tensor | None = None
) -> Tensor:
    """The feature without the amplitudes of a band.

    Args:
        feature: (1, C, h, w).
        ends: radii of the band.
        foreground: (1, 1, h, w) bool; these cells keep their features, and the others are
            transformed with zeros there. None masks the band everywhere.

    Returns:
        (1, C, h, w).
    """
    height, width = feature.shape[-2:]
    keep = ~band_mask(height, width, *ends, device=feature.device)
    if foreground is None:
        return filter_bands(feature, keep)
    filtered = filter_bands(feature.masked_fill(foreground, 0), keep)
    return torch.where(foreground, feature, filtered)


def _change(masked: dict[str, float], plain: dict[str, float]) -> dict[str, float]:
    """Per cent of the unmasked AP; NaN where that is 0 or NaN."""
    return {
        key: 100 * (masked[key] / value - 1) if value > 0 else np.nan
        for key, value in plain.items()
    }


def _empty_bands(energies: dict[str, dict[str, float]], bands: Sequence[Band]) -> list[str]:
    return [
        f"band {band.name} holds no frequency at {level}: one circle of frequencies spans it, "
        "so masking it changes nothing there"
        for level, held in energies.items()
        for band in bands
        if not held[band.name]
    ]


def _plot(result: Occlusion, masks: list[Mask], keys: list[str], output: str | os.PathLike) -> Path:
    figure = new_figure(13, 4.6)
    left, right = figure.subplots(1, 2)
    rows = [UNMASKED, *(mask.name for mask in masks)]
    labels = ["no mask", *(mask.label for mask in masks)]
    colors = ["0.6", *(f"C{n}" for n in range(len(masks)))]
    width = 0.85 / len(rows)
    place = np.arange(len(keys))
    for n, (name, label, color) in enumerate(zip(rows, labels, colors, strict=True)):
        shift = (n - (len(rows) - 1) / 2) * width
        values = [result.AP[name][key] for key in keys]
        left.bar(place + shift, values, width, label=label, color=color)
        if name != UNMASKED:
            change = [result.change_per_cent[name][key] for key in keys]
            bars = right.bar(place + shift, change, width, label=label, color=color)
            texts = ["null" if np.isnan(value) else f"{value:+.0f}" for value in change]
            right.bar_label(bars, texts, fontsize=7, padding=1)
    left.set(ylabel="AP, per cent", title="AP with a band of frequencies masked")
    right.set(ylabel="change against no mask, per cent", title="Relative change")
    right.axhline(0, color="black", linewidth=0.8)
    counts = ["all"] + [f"{n} objects" for n in result.objects.values()]
    for panel in (left, right):
        ticks = [f"{key}\n{number}" for key, number in zip(keys, counts, strict=True)]
        panel.set_xticks(place, ticks)
        panel.grid(axis="y", alpha=0.3)
        panel.set_axisbelow(True)
        panel.margins(y=0.12)
        panel.set_xlim(-0.6, len(keys) - 0.4)
    left.set_ylim(0, max(left.get_ylim()[1], 1))
    if not any(value > 0 for value in result.AP[UNMASKED].values()):
        right.set(ylim=(-1, 1), title="Relative change: none, AP without a mask is 0")
    left.legend(fontsize=8)
    figure.suptitle(
        f"{result.about.models[0]['model']} on {result.images} images of {result.about.dataset}, "
        f"masks at {', '.join(result.settings.levels)}; protocol {result.about.protocol}",
        fontsize=10,
    )
    return save_figure(figure, output, how=METHOD)
