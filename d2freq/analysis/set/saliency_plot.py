"""The figure of an image's saliency: each object's sum, and the means by size class."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from d2freq.analysis.figures import new_figure, outline, save_figure
from d2freq.analysis.model_and_data import Image

__all__ = ["plot_saliency"]

Panel = tuple[str, Image, Tensor, Mapping[str, tuple[int, float]]]
MOST_NUMBERS = 40  # objects above which single sums could not be read


def plot_saliency(
    panels: Sequence[Panel], record: dict[str, Any], output: str | os.PathLike, input_format: str
) -> Path:
    """The image, a map a model on one scale, and bars of the means; returns ``output``.

    Args:
        panels: label, image, its saliency (H, W) and size class -> (objects, mean), a model each.
    """
    image = panels[0][1]
    height, width = image.inputs["image"].shape[-2:]
    tall = 4.4 * min(max(height / width, 0.4), 2.5) + 1
    figure = new_figure(4.8 * (len(panels) + 2), tall)
    axes = figure.subplots(1, len(panels) + 2)
    axes[0].imshow(image.pixels(input_format), extent=(0, width, height, 0))
    for x0, y0, x1, y1 in image.boxes.tolist():
        axes[0].add_patch(outline((x0, y0, x1, y1), "tab:green"))
    axes[0].set(title="image, ground truth", xlabel="x, pixels", ylabel="y, pixels")
    top = max(float(heat.max()) for _, _, heat, _ in panels) or 1
    sums = [entry["drawn_image_objects"] for entry in record["saliency"]]
    for axis, panel, values in zip(axes[1:-1], panels, sums, strict=True):
        shown = _show(axis, panel, values, record["settings"]["level"], top)
    figure.colorbar(shown, ax=axes[1:-1], fraction=0.03, label="|mean gradient of the branches|")
    _bars(axes[-1], panels, record)
    recipe = record["settings"]["recipe"]
    if recipe != "plain":
        figure.suptitle(f"recipe {recipe}: the models are NOT measured alike", color="tab:red")
    return save_figure(figure, output, how=record["how"])


def _show(axis, panel: Panel, sums: list[float], level: str, top: float):
    label, image, heat, _ = panel
    shown = axis.imshow(heat.numpy(), cmap="inferno", vmin=0, vmax=top)
    for number, (x0, y0, x1, y1) in enumerate(image.boxes.tolist()):
        axis.add_patch(outline((x0, y0, x1, y1), "tab:green"))
        if len(image.boxes) <= MOST_NUMBERS:
            room = y0 > 0.04 * len(heat)  # above the box
            style = {"color": "white", "fontsize": 6, "va": "bottom" if room else "top"}
            axis.text(x0, y0 - 1 if room else y1 + 1, f"{sums[number]:.3g}", **style)
    axis.set(title=f"{label}: saliency at {level}", xlabel="x, pixels")
    return shown


def _bars(axis, panels: Sequence[Panel], record: dict[str, Any]) -> None:
    classes = list(panels[0][3])
    place = np.arange(len(classes))
    width = 0.8 / len(panels)
    for n, (label, _, _, means) in enumerate(panels):
        shift = (n - (len(panels) - 1) / 2) * width
        bars = axis.bar(place + shift, [mean for _, mean in means.values()], width, label=label)
        axis.bar_label(bars, fmt="%.3g", fontsize=7, padding=1)
    counts = [f"{name}\n{number}" for name, (number, _) in panels[0][3].items()]
    axis.set_xticks(place, counts)
    axis.set_xlim(-0.6, len(classes) - 0.4)
    axis.set(
        title=f"mean over the objects of {record['images']} images",
        xlabel="size class, objects",
        ylabel="sum of the saliency in a box",
    )
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(fontsize=8)
