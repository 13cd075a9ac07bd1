"""A level as one picture: its first principal component, before and after HBS (SET, Fig. 4).

Shape shorthand: C channels, h x w of a level without its padding, M cells that an object covers.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from d2freq.analysis.figures import new_figure, outline, save_figure
from d2freq.analysis.methods import PCA as METHOD
from d2freq.analysis.model_and_data import Image, Subject, pick_record
from d2freq.analysis.result import About, Result
from d2freq.analysis.set.features import Pyramid, pick_level, pyramid, smoothed

__all__ = ["METHOD", "Component", "Components", "first_component", "show_components"]


@dataclass(frozen=True)
class Component:
    """``values`` (h, w) float64, and the share of the variance that they hold."""

    values: Tensor
    explained: float


@dataclass(frozen=True)
class _Panel:
    """A map with its title; ``ends`` are its right and lower border in network pixels."""

    title: str
    image: Image
    component: Component
    ends: tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """By which choices levels were drawn."""

    level: str
    own_scale: bool


@dataclass(frozen=True)
class Cells:
    """Some cells of a map: how many, their values, and their channels' mean variance."""

    cells: int
    mean: float
    deviation: float
    feature_variance: float

    @classmethod
    def of(cls, values: Tensor, feature: Tensor, chosen: Tensor) -> "Cells":
        """Of the ``chosen`` cells (h, w) of a map and its level (C, h, w)."""
        number = int(chosen.sum())
        if number < 2:
            return cls(number, float(values[chosen].mean()), math.nan, math.nan)
        variance = feature[:, chosen].double().var(1).mean()
        return cls(number, *map(float, (values[chosen].mean(), values[chosen].std(), variance)))


@dataclass(frozen=True)
class Map:
    """The numbers of a drawn level: whose it is, before or after HBS, and what its cells hold."""

    model: str
    state: str
    explained_variance: float
    lowest: float
    highest: float
    objects: Cells
    background: Cells


@dataclass(frozen=True)
class Components(Result):
    """The maps of one image, which has so many ``objects``; ``range`` is that of all values."""

    settings: Settings
    image_id: int
    file_name: str
    objects: int
    maps: list[Map]
    notes: list[str]
    range: tuple[float, float]


def first_component(feature: Tensor, inside: Tensor) -> Component:
    """Project the cells on the axis of their largest variance, centred on their mean.

    An axis has no direction: it is turned so that the mean over ``inside`` is not below that over
    the other cells, or, where there are no cells of one kind, so that the value of the largest
    magnitude is positive.

    Args:
        feature: (C, h, w).
        inside: (h, w) bool.
    """
    channels, height, width = feature.shape
    cells = feature.reshape(channels, -1).t().double()
    cells = cells - cells.mean(0)
    variances, axes = torch.linalg.eigh(cells.t() @ cells)
    values = (cells @ axes[:, -1]).reshape(height, width)
    if inside.any() and not inside.all():
        turned = values[inside].mean() < values[~inside].mean()
    else:
        turned = values.flatten()[values.abs().argmax()] < 0
    total = float(variances.sum())
    explained = float(variances[-1]) / total if total > 0 else math.nan
    return Component(-values if turned else values, explained)


def show_components(
    subjects: Sequence[Subject],
    output: str | os.PathLike,
    *,
    level: str | None = None,
    image_id: int | None = None,
    own_scale: bool = False,
) -> Components:
    """Draw the level of each model, and after HBS where the model has it; write PNG and JSON.

    Args:
        subjects: one model, or two to compare, on one data set.
        level: a name; None for the highest resolution.
        image_id: None for the first image with objects.
        own_scale: each map from its own lowest to its own highest value, instead of one range for
            all, on which a smaller map is nearly one colour.

    Raises:
        UserError: no such level or image.
    """
    record = pick_record(subjects[0], image_id)
    chosen = pick_level(subjects[0].detector, level)
    panels: list[_Panel] = []
    maps, notes = [], []
    for subject in subjects:
        image = subject.image(record)
        seen = pyramid(subject.detector, image)
        states = {"before HBS": seen.features[pick_level(subject.detector, chosen)]}
        label = subject.about["label"]
        if chosen in (getattr(subject.model, "smoothing", None) or ()):
            states["after HBS"] = smoothed(subject, image, seen)[chosen]
        else:
            notes.append(f"{label} has no HBS at {chosen}: its level is shown as it is")
        for state, feature in states.items():
            cut, inside = _without_padding(seen, feature, image)
            component = first_component(cut, inside)
            name = f"{label}, {state}" if len(states) > 1 else label
            ends = tuple(
                cells * whole / all_cells
                for cells, whole, all_cells in zip(
                    cut.shape[:0:-1], seen.padded[::-1], feature.shape[:1:-1], strict=True
                )
            )
            panels.append(_Panel(name, image, component, (ends[0], ends[1])))
            values = component.values
            maps.append(
                Map(
                    model=label,
                    state=state,
                    explained_variance=component.explained,
                    lowest=float(values.min()),
                    highest=float(values.max()),
                    objects=Cells.of(values, cut, inside),
                    background=Cells.of(values, cut, ~inside),
                )
            )
    result = Components(
        about=About.of("pca", METHOD, subjects),
        settings=Settings(chosen, own_scale),
        image_id=record["image_id"],
        file_name=record["file_name"],
        objects=len(panels[0].image.boxes),
        maps=maps,
        notes=notes,
        range=(min(each.lowest for each in maps), max(each.highest for each in maps)),
    )
    _plot(result, panels, output)
    result.write(output)
    return result


def _without_padding(seen: Pyramid, feature: Tensor, image: Image) -> tuple[Tensor, Tensor]:
    """(C, h, w) and M (h, w): the cells that hold a pixel of the image."""
    inside = seen.foreground(feature, image, rule="any")[0, 0].cpu()
    rows, columns = (
        math.ceil(side * cells / whole)
        for side, cells, whole in zip(image.size, feature.shape[-2:], seen.padded, strict=True)
    )
    return feature[0, :, :rows, :columns].float().cpu(), inside[:rows, :columns]


def _plot(result: Components, panels: Sequence[_Panel], output: str | os.PathLike) -> Path:
    level, own_scale = result.settings.level, result.settings.own_scale
    label = "first principal component"
    height, width = panels[0].image.size
    tall = 4 * min(max(height / width, 0.4), 2.5) + 1
    figure = new_figure(4.4 * (len(panels) + 1), tall)
    axes = figure.subplots(1, len(panels) + 1)
    axes[0].imshow(panels[0].image.pixels())
    axes[0].set(title="image, ground truth", ylabel="y, pixels")
    for axis, panel in zip(axes[1:], panels, strict=True):
        values = panel.component.values
        low, high = map(float, values.aminmax()) if own_scale else result.range
        shown = axis.imshow(
            values.numpy(),
            cmap="Blues",
            vmin=low,
            vmax=high,
            extent=(0, panel.ends[0], panel.ends[1], 0),
            interpolation="nearest",
        )
        axis.set_title(f"{panel.title}\n{level}: {panel.component.explained:.0%} of the variance")
        if own_scale:
            figure.colorbar(shown, ax=axis, fraction=0.045, label=label)
    if not own_scale:
        figure.colorbar(shown, ax=axes[1:], fraction=0.03, label=label)
    for axis, panel in zip(axes, [panels[0], *panels], strict=True):
        rows, columns = panel.image.size
        axis.set(xlim=(0, columns), ylim=(rows, 0), xlabel="x, pixels")
        for corners in panel.image.boxes.tolist():
            axis.add_patch(outline(corners, "tab:green"))
    return save_figure(figure, output, how=METHOD)
