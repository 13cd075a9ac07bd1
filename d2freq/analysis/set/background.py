"""What smoothing does to the background by frequency: amplitudes before and after (SET, Fig. 7).

Shape shorthand: C channels, h x w of a level, phi a level's smoothing block.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from d2freq.analysis.figures import new_figure, save_figure
from d2freq.analysis.model_and_data import Image, Subject, choose
from d2freq.analysis.result_file import head, write_record
from d2freq.analysis.set.bands import Band, fixed_radii
from d2freq.analysis.set.features import Pyramid, pyramid
from d2freq.errors import UserError
from d2freq.modeling.set.masks import foreground_mask
from d2freq.ops.spectrum import SpectrumSum

__all__ = ["background", "measure_bands"]

STATES = ("before", "after")
MEASURES = ("amplitude_share", "amplitude_mean", "energy_share")


def measure_bands(
    subject: Subject,
    output: str | os.PathLike,
    *,
    how: str,
    bands: Sequence[Band],
    levels: Sequence[str] = (),
    count: int = 1000,
    seed: int = 0,
    zero_frequency: bool = False,
) -> dict[str, Any]:
    """Compare the spectra of P^bg and phi(P^bg) over random images; write PNG and JSON.

    Args:
        how: the description of the method, for the record.
        bands: shares of the energy of P^bg, which fix the radii for both.
        levels: names; none for all that the model smooths.
        count: random images without repeats; 0 is all.
        seed: of the choice.
        zero_frequency: whether it counts as energy, see SpectrumSum.radius.

    Returns:
        the record, as in the JSON file.

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
        radii[name] = fixed_radii(sums["before"], bands, name, zero_frequency=zero_frequency)
        found[name] = {
            state: {
                band.name: vars(statistics)
                for band, statistics in zip(
                    bands, total.statistics(list(radii[name].values())), strict=True
                )
            }
            for state, total in sums.items()
        }
    result = head(
        "bands",
        how,
        [subject],
        levels=names,
        seed=seed,
        zero_frequency_counts=zero_frequency,
        foreground=smoothing.mask,
        region=smoothing.region,
    )
    result |= {
        "images": len(records),
        "image_ids": [record["image_id"] for record in records],
        "bands": [vars(band) for band in bands],
        "radii_cycles_per_cell": radii,
        "levels": found,
        "mean_over_levels": {
            state: {
                band.name: {
                    measure: float(np.mean([found[n][state][band.name][measure] for n in names]))
                    for measure in MEASURES
                }
                for band in bands
            }
            for state in STATES
        },
    }
    result["notes"] = [
        f"band {band.name} holds no frequency at {name}"
        for name in names
        for band in bands
        if not found[name]["before"][band.name]["frequencies"]
    ]
    _plot(result, bands, output)
    write_record(result, output)
    return result


def background(seen: Pyramid, level: str, image: Image, smoothing: Any) -> Tensor:
    """P^bg of a level (1, C, h, w), zero in objects, as HBS cuts it; all of P for region "all"."""
    feature = seen.features[level]
    if smoothing.region == "all":
        return feature
    size = feature.shape[-2], feature.shape[-1]
    boxes = [image.boxes.to(feature.device)]
    return feature.masked_fill(foreground_mask(boxes, seen.padded, size, rule=smoothing.mask), 0)


def _plot(record: dict[str, Any], bands: Sequence[Band], output: str | os.PathLike) -> None:
    names = record["settings"]["levels"]
    columns = {**record["levels"], "mean over levels": record["mean_over_levels"]}
    figure = new_figure(3 * len(columns) + 1, 6.4)
    grid = figure.subplots(2, len(columns), squeeze=False, sharey="row")
    place = np.arange(len(bands))
    labels = {"before": "P, background", "after": "smoothed"}
    for panels, (name, states) in zip(grid.T, columns.items(), strict=True):
        for panel, measure in zip(panels, MEASURES, strict=False):
            for shift, state in ((-0.2, "before"), (0.2, "after")):
                values = [states[state][band.name][measure] for band in bands]
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
        f"{record['models'][0]['label']}: background of {record['images']} images of "
        f"{record['dataset']}, levels {', '.join(names)}",
        fontsize=10,
    )
    save_figure(figure, output, how=record["how"])
