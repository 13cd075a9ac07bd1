"""What smoothing does to the background by frequency: amplitudes before and after (SET, Fig. 7).

Shape shorthand: C channels, h x w of a level, phi a level's smoothing block.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor
from tqdm import tqdm

from d2freq.analysis.figures import new_figure, save_figure
from d2freq.analysis.methods import BACKGROUND as METHOD
from d2freq.analysis.model_and_data import Image, Subject, choose
from d2freq.analysis.result import About, Result
from d2freq.analysis.set.bands import Band, Radii, fixed_radii
from d2freq.analysis.set.features import Pyramid, pyramid
from d2freq.errors import UserError
from d2freq.ops.spectrum import BandStatistics, SpectrumSum

__all__ = ["METHOD", "Bands", "background", "measure_bands"]

STATES = ("before", "after")


@dataclass(frozen=True)
class Settings:
    """By which choices bands were measured; foreground and region are those of the model."""

    levels: list[str]
    seed: int
    zero_frequency_counts: bool
    foreground: str
    region: str


@dataclass(frozen=True)
class Means:
    """A band's statistics as means over levels, see BandStatistics."""

    amplitude_share: float
    amplitude_mean: float
    energy_share: float

    @classmethod
    def of(cls, levels: Sequence[BandStatistics]) -> "Means":
        names = [field.name for field in fields(cls)]
        return cls(*(float(np.mean([getattr(each, name) for each in levels])) for name in names))


@dataclass(frozen=True)
class Bands(Result):
    """The bands of the background before and after smoothing."""

    settings: Settings
    images: int
    image_ids: list[int]
    bands: list[Band]
    radii_cycles_per_cell: dict[str, Radii]  # by level
    levels: dict[str, dict[str, dict[str, BandStatistics]]]  # by level, then state, then band
    mean_over_levels: dict[str, dict[str, Means]]  # by state, then band
    notes: list[str]

    def table(self) -> str:
        """Shares of the amplitude, a row a level and state."""
        rows = [
            [name, state, *(statistics.amplitude_share for statistics in of_bands.values())]
            for name, states in self.columns("mean").items()
            for state, of_bands in states.items()
        ]
        headers = ["share of amplitude", "smoothing", *(band.name for band in self.bands)]
        return tabulate(rows, headers, tablefmt="pipe", floatfmt=".4f")

    def columns(self, mean: str) -> dict[str, Any]:
        """Level, and last the mean over them under the name ``mean`` -> state -> band."""
        return {**self.levels, mean: self.mean_over_levels}


def measure_bands(
    subject: Subject,
    output: str | os.PathLike,
    *,
    bands: Sequence[Band],
    levels: Sequence[str] = (),
    count: int = 1000,
    seed: int = 0,
    zero_frequency: bool = False,
) -> Bands:
    """Compare the spectra of P^bg and phi(P^bg) over random images; write PNG and JSON.

    Args:
        bands: shares of the energy of P^bg, which fix the radii for both.
        levels: names; none for all that the model smooths.
        count: random images without repeats; 0 is all.
        seed: of the choice.
        zero_frequency: whether it counts as energy, see SpectrumSum.radius.

    Raises:
        UserError: a model without HBS, or a level that it does not smooth.
    """
    smoothing = getattr(subject.model, "smoothing", None)
    if smoothing is None:
        raise UserError(
            f"{subject.about['config']}: {subject.about['model']} has no background smoothing; "
            "take a config with MODEL.META_ARCHITECTURE SET and MODEL.SET.SMOOTHING on"
        )
    names = list(levels) or list(smoothing)
    for name in names:
        if name not in smoothing:
            raise UserError(f"--levels {name}: the model smooths {', '.join(smoothing)}")
    if not bands:
        raise UserError("--bands: name a band at least, such as low=0-40")
    totals = {name: {state: SpectrumSum() for state in STATES} for name in names}
    records = choose(subject.records, count, seed=seed)
    for record in tqdm(records, desc="background spectra", unit="image"):
        image = subject.image(record)
        seen = pyramid(subject.detector, image)
        for name, sums in totals.items():
            ground = background(seen, name, image, smoothing)
            sums["before"].add(ground)
            with torch.no_grad():
                sums["after"].add(smoothing[name](ground))
    radii, found = {}, {}
    for name, sums in totals.items():
        ends = fixed_radii(sums["before"], bands, name, zero_frequency=zero_frequency)
        radii[name] = ends
        found[name] = {
            state: dict(zip(ends, total.statistics(list(ends.values())), strict=True))
            for state, total in sums.items()
        }
    result = Bands(
        about=About.of("bands", METHOD, [subject]),
        settings=Settings(names, seed, zero_frequency, smoothing.mask, smoothing.region),
        images=len(records),
        image_ids=[record["image_id"] for record in records],
        bands=list(bands),
        radii_cycles_per_cell=radii,
        levels=found,
        mean_over_levels={
            state: {
                band.name: Means.of([found[name][state][band.name] for name in names])
                for band in bands
            }
            for state in STATES
        },
        notes=[
            f"band {band.name} holds no frequency at {name}"
            for name in names
            for band in bands
            if not found[name]["before"][band.name].frequencies
        ],
    )
    _plot(result, output)
    result.write(output)
    return result


def background(seen: Pyramid, level: str, image: Image, smoothing: Any) -> Tensor:
    """P^bg of a level (1, C, h, w), zero in objects, as HBS cuts it; all of P for region "all"."""
    feature = seen.features[level]
    if smoothing.region == "all":
        return feature
    return feature.masked_fill(seen.foreground(feature, image, rule=smoothing.mask), 0)


def _plot(result: Bands, output: str | os.PathLike) -> Path:
    bands = result.bands
    columns = result.columns("mean over levels")
    figure = new_figure(3 * len(columns) + 1, 6.4)
    grid = figure.subplots(2, len(columns), squeeze=False, sharey="row")
    place = np.arange(len(bands))
    labels = {"before": "P, background", "after": "smoothed"}
    for panels, (name, states) in zip(grid.T, columns.items(), strict=True):
        for panel, measure in zip(panels, ("amplitude_share", "amplitude_mean"), strict=True):
            for shift, state in ((-0.2, "before"), (0.2, "after")):
                values = [getattr(states[state][band.name], measure) for band in bands]
                bars = panel.bar(place + shift, values, 0.4, label=labels[state])
                panel.bar_label(bars, fmt="%.3g", fontsize=6, padding=1)
            ticks = [f"{band.name}\n{band.low:g}-{band.high:g} %" for band in bands]
            panel.set_xticks(place, ticks, fontsize=7)
            panel.grid(axis="y", alpha=0.3)
            panel.set_axisbelow(True)
        panels[0].set_title(name)
        panels[1].set_xlabel("band by energy before smoothing")
    grid[0, 0].set_ylabel("share of the total amplitude")
    grid[1, 0].set_ylabel("mean amplitude of a frequency (log)")
    grid[1, 0].set_yscale("log")
    for panel in grid[:, 0]:  # room for the numbers on the bars
        panel.margins(y=0.1)
    grid[0, 0].legend(fontsize=8)
    figure.suptitle(
        f"{result.about.models[0]['label']}: background of {result.images} images of "
        f"{result.about.dataset}, levels {', '.join(result.settings.levels)}",
        fontsize=10,
    )
    return save_figure(figure, output, how=METHOD)
