"""The spectrum of a level around an object (SET, Fig. 2).

Shape shorthand: C channels, h x w of a level, n x m the crop in cells.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2freq.analysis.figures import new_figure, outline, save_figure
from d2freq.analysis.methods import SPECTRUM as METHOD
from d2freq.analysis.model_and_data import Image, Subject, areas_of, pick_record, scales_of
from d2freq.analysis.result import About, Result
from d2freq.analysis.set.features import pick_level, pyramid, stride_of
from d2freq.errors import UserError
from d2freq.ops.spectrum import SpectrumSum, log_amplitude

__all__ = ["METHOD", "Spectra", "crop_window", "show_spectra", "strongest_channel"]

Window = tuple[int, int, int, int]  # x0, y0, x1, y1 in cells; the end is not part of it
# equal widths of radius in cycles per cell, for the numbers beside the picture
RINGS = ((-1.0, 0.0), (0.0, 0.125), (0.125, 0.25), (0.25, 0.375), (0.375, 0.5), (0.5, 1.0))


@dataclass(frozen=True)
class Settings:
    """By which choices crops were cut."""

    level: str
    cells: int
    context: float


@dataclass(frozen=True)
class Ring:
    """The share of a crop's energy between two radii in cycles per cell."""

    low: float
    high: float
    energy_share: float


@dataclass(frozen=True)
class ObjectSpectrum:
    """The numbers of one object in one model."""

    model: str
    object: str
    box_in_network_pixels: list[float]
    crop_in_cells: Window
    channel: int
    energy: float
    largest_log_amplitude: float
    rings_cycles_per_cell: list[Ring]


@dataclass(frozen=True)
class Spectra(Result):
    """The objects of one image, those of one model after those of the other."""

    settings: Settings
    image_id: int
    file_name: str
    spectra: list[ObjectSpectrum]


@dataclass(frozen=True)
class _View:
    """An object in a model as it is drawn: picture in network pixels, feature, spectrum (n, m)."""

    picture: np.ndarray
    stride: int
    feature: Tensor
    spectrum: Tensor
    found: ObjectSpectrum


def show_spectra(
    subjects: Sequence[Subject],
    output: str | os.PathLike,
    *,
    level: str | None = None,
    image_id: int | None = None,
    objects: Sequence[int] | None = None,
    box: Sequence[float] | None = None,
    cells: int = 16,
    context: float = 2.0,
) -> Spectra:
    """Draw picture, feature and spectrum of each object, a row an object; write PNG and JSON.

    Args:
        subjects: one model, or two to compare, on one data set.
        level: a name; None for the highest resolution.
        image_id: None for the first image with objects.
        objects: numbers of its ground truth boxes; None for the first of each size class.
        box: x, y, width, height in pixels of the image on disk, instead of objects.
        cells, context: see crop_window.

    Raises:
        UserError: no such level, image or object.
    """
    views: list[list[_View]] = []
    record = pick_record(subjects[0], image_id)
    chosen_level = pick_level(subjects[0].detector, level)
    for subject in subjects:
        image = subject.image(record)
        targets = _targets(subject, image, objects, box)
        name = pick_level(subject.detector, chosen_level)
        feature = pyramid(subject.detector, image).features[name][0].float().cpu()
        stride = stride_of(subject.detector, name)
        rows = []
        for target, corners in targets.items():
            height, width = (math.ceil(side / stride) for side in image.size)
            window = crop_window(corners, stride, (height, width), cells, context)
            crop = feature[:, window[1] : window[3], window[0] : window[2]]
            channel = strongest_channel(crop)
            spectrum = log_amplitude(crop[channel])
            total = SpectrumSum()
            total.add(crop[channel])
            found = ObjectSpectrum(
                model=subject.about["label"],
                object=target,
                box_in_network_pixels=corners,
                crop_in_cells=window,
                channel=channel,
                energy=total.energy,
                largest_log_amplitude=float(spectrum.max()),
                rings_cycles_per_cell=[
                    Ring(max(low, 0), high, ring.energy_share)
                    for (low, high), ring in zip(RINGS, total.statistics(RINGS), strict=True)
                ],
            )
            rows.append(_View(image.pixels(), stride, crop[channel], spectrum, found))
        views.append(rows)
    result = Spectra(
        about=About.of("spectrum", METHOD, subjects),
        settings=Settings(chosen_level, cells, context),
        image_id=record["image_id"],
        file_name=record["file_name"],
        spectra=[view.found for rows in views for view in rows],
    )
    _plot(result, views, output)
    result.write(output)
    return result


def crop_window(
    corners: Sequence[float],
    stride: int,
    size: tuple[int, int],
    cells: int = 16,
    context: float = 2.0,
) -> Window:
    """A square of cells around a box, moved into the level, and cut only where it is larger.

    Args:
        corners: x0, y0, x1, y1 in pixels.
        stride: pixels a cell.
        size: h and w of the level without its padding.
        cells: side of the square, at least.
        context: side of the square, at least, in longer sides of the box.

    Raises:
        UserError: numbers that give no square, or a box whose centre is outside of the level.
    """
    if cells < 2 or context <= 0:
        raise UserError("--cells is 2 or more, --context above 0")
    longest = max(corners[2] - corners[0], corners[3] - corners[1]) / stride
    side = max(cells, math.ceil(context * longest))
    ends = []
    for low, high, room in zip(corners[:2], corners[2:], size[::-1], strict=True):
        centre = (low + high) / 2 / stride
        if not 0 <= centre <= room:
            raise UserError(f"box {list(corners)}: its centre lies outside of the image")
        start = min(max(round(centre - side / 2), 0), max(room - side, 0))
        ends.append((start, min(start + side, room)))
    (x0, x1), (y0, y1) = ends
    return x0, y0, x1, y1


def strongest_channel(crop: Tensor) -> int:
    """Of (C, n, m) the channel of the largest sum of squares."""
    return int(crop.double().square().sum((1, 2)).argmax())


def _targets(
    subject: Subject, image: Image, objects: Sequence[int] | None, box: Sequence[float] | None
) -> dict[str, list[float]]:
    """Name -> corners in network pixels."""
    height, width = image.size
    if box is not None:
        x, y, w, h = box
        across, down = width / image.inputs["width"], height / image.inputs["height"]
        return {"box": [x * across, y * down, (x + w) * across, (y + h) * down]}
    scales = scales_of(areas_of(image), subject.protocol)
    if objects is None:
        first = [int(inside.argmax()) for inside in scales.values() if inside.any()]
        objects = list(dict.fromkeys(first))
    wrong = [number for number in objects if not 0 <= number < len(image.boxes)]
    if wrong or not objects:
        raise UserError(
            f"--objects {wrong[0] if wrong else ''}: image {image.inputs['image_id']} has "
            f"{len(image.boxes)} objects, counted from 0"
        )
    found = {}
    for number in objects:
        classes = "/".join(label for label, inside in scales.items() if inside[number])
        found[f"object {number} ({classes or 'no size class'})"] = image.boxes[number].tolist()
    return found


def _plot(result: Spectra, views: list[list[_View]], output: str | os.PathLike) -> Path:
    """A row an object, of which ``views`` has a list a model."""
    objects = list(zip(*views, strict=True))
    columns = 1 + 2 * len(views)
    figure = new_figure(3.4 * columns + 0.8, 3.4 * len(objects) + 0.4)
    grid = figure.subplots(len(objects), columns, squeeze=False)
    for of_models, panels in zip(objects, grid, strict=True):
        _show_picture(panels[0], of_models[0])
        top = max(view.found.largest_log_amplitude for view in of_models)
        for n, view in enumerate(of_models):
            x0, y0, x1, y1 = view.found.crop_in_cells
            label = view.found.model
            panel = panels[1 + 2 * n]
            shown = panel.imshow(view.feature.numpy(), cmap="viridis", extent=(x0, x1, y1, y0))
            corners = [value / view.stride for value in view.found.box_in_network_pixels]
            panel.add_patch(outline(corners, "tab:red"))
            title = f"{label}: {result.settings.level}, channel {view.found.channel}"
            panel.set(title=title, xlabel="x, cells", ylabel="y, cells")
            figure.colorbar(shown, ax=panel, fraction=0.045, label="feature")
            panel = panels[2 + 2 * n]
            shown = panel.imshow(
                view.spectrum.numpy(),
                cmap="magma",
                vmin=0,
                vmax=top or 1,
                extent=_cycles(view.spectrum),
            )
            panel.set(
                title=f"{label}: spectrum", xlabel="x, cycles per cell", ylabel="y, cycles per cell"
            )
            figure.colorbar(shown, ax=panel, fraction=0.045, label="log(1 + amplitude)")
    return save_figure(figure, output, how=METHOD)


def _show_picture(panel: Any, view: _View) -> None:
    found = view.found
    x0, y0, x1, y1 = (value * view.stride for value in found.crop_in_cells)
    height, width = view.picture.shape[:2]
    panel.imshow(view.picture, extent=(0, width, height, 0), interpolation="nearest")
    panel.add_patch(outline(found.box_in_network_pixels, "tab:red"))
    panel.set(xlim=(x0, x1), ylim=(y1, y0), xlabel="x, pixels", ylabel="y, pixels")
    panel.set_title(found.object)


def _cycles(spectrum: Tensor) -> tuple[float, float, float, float]:
    """Borders of the shifted spectrum's cells: left, right, bottom, top."""
    ends = []
    for side in spectrum.shape[::-1]:
        frequencies = torch.fft.fftshift(torch.fft.fftfreq(side))
        half = 0.5 / side
        ends.append((float(frequencies[0]) - half, float(frequencies[-1]) + half))
    (left, right), (top, bottom) = ends
    return left, right, bottom, top
