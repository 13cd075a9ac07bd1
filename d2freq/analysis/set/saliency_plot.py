"""The figure of an image's saliency: each object's sum, and the means by size class."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from d2freq.analysis.figures import new_figure, outline, save_figure
from d2freq.analysis.model_and_data import Image

if TYPE_CHECKING:
    from d2freq.analysis.set.saliency import ModelSaliency, Saliency

__all__ = ["Panel", "plot_saliency"]

MOST_NUMBERS = 40  # objects above which single sums could not be read


@dataclass(frozen=True)
class Panel:
    """The drawn image as a model got it, and its saliency (H, W)."""

    image: Image
    heat: Tensor


def plot_saliency(result: "Saliency", panels: Sequence[Panel], output: str | os.PathLike) -> Path:
    """The image, a map a model on one scale, and bars of the means; returns ``output``."""
    image = panels[0].image
    height, width = image.size
    tall = 4.4 * min(max(height / width, 0.4), 2.5) + 1
    figure = new_figure(4.8 * (len(panels) + 2), tall)
    axes = figure.subplots(1, len(panels) + 2)
    axes[0].imshow(image.pixels(), extent=(0, width, height, 0))
    for corners in image.boxes.tolist():
        axes[0].add_patch(outline(corners, "tab:green"))
    axes[0].set(title="image, ground truth", xlabel="x, pixels", ylabel="y, pixels")
    top = max(float(panel.heat.max()) for panel in panels) or 1
    for axis, panel, found in zip(axes[1:-1], panels, result.saliency, strict=True):
        shown = _show(axis, panel, found, result.settings.level, top)
    figure.colorbar(shown, ax=axes[1:-1], fraction=0.03, label="|mean gradient of the branches|")
    _bars(axes[-1], result)
    recipe = result.settings.recipe
    if recipe != "plain":
        figure.suptitle(f"recipe {recipe}: the models are NOT measured alike", color="tab:red")
    return save_figure(figure, output, how=result.about.how)


def _show(axis: Any, panel: Panel, found: "ModelSaliency", level: str, top: float) -> Any:
    shown = axis.imshow(panel.heat.numpy(), cmap="inferno", vmin=0, vmax=top)
    boxes = panel.image.boxes.tolist()
    for corners, value in zip(boxes, found.drawn_image_objects, strict=True):
        axis.add_patch(outline(corners, "tab:green"))
        if len(boxes) <= MOST_NUMBERS:
            x0, y0, _, y1 = corners
            room = y0 > 0.04 * len(panel.heat)  # above the box
            style = {"color": "white", "fontsize": 6, "va": "bottom" if room else "top"}
            axis.text(x0, y0 - 1 if room else y1 + 1, f"{value:.3g}", **style)
    axis.set(title=f"{found.model}: saliency at {level}", xlabel="x, pixels")
    return shown


def _bars(axis: Any, result: "Saliency") -> None:
    models = result.saliency
    classes = models[0].objects
    place = np.arange(len(classes))
    width = 0.8 / len(models)
    for n, found in enumerate(models):
        shift = (n - (len(models) - 1) / 2) * width
        means = list(found.mean_saliency.values())
        bars = axis.bar(place + shift, means, width, label=found.model)
        axis.bar_label(bars, fmt="%.3g", fontsize=7, padding=1)
    axis.set_xticks(place, [f"{name}\n{number}" for name, number in classes.items()])
    axis.set_xlim(-0.6, len(classes) - 0.4)
    axis.set(
        title=f"mean over the objects of {result.images} images",
        xlabel="size class, objects",
        ylabel="sum of the saliency in a box",
    )
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(fontsize=8)
