"""The heat maps of a gate: a panel a component, a cell a frequency, its zigzag rank in it."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from d2freq.analysis.figures import new_figure, save_figure
from d2freq.modeling.frequency_input import DCTStem
from d2freq.modeling.frequency_input.dct_stem import get_geometry
from d2freq.ops.block_dct import zigzag

__all__ = ["plot_gate", "raster_maps"]


def raster_maps(stem: DCTStem, values: Tensor) -> np.ndarray:
    """Values of the stem's channels on the frequencies of their components.

    Args:
        values: (C,).

    Returns:
        (3, N, N) float64: Y, Cb, Cr, rows of vertical frequency; NaN where no channel is.
    """
    points = get_geometry(stem.mode).points
    maps = np.full(3 * points * points, np.nan)
    maps[list(stem.channels)] = values.double().cpu().numpy()
    return maps.reshape(3, points, points)


def plot_gate(
    stem: DCTStem, on: Tensor, best: Sequence[int], output: str | os.PathLike, *, images: int
) -> Path:
    """Draw how often each frequency is on; frames mark the places ``best``. Returns ``output``."""
    from matplotlib.patches import Rectangle

    maps = raster_maps(stem, on)
    chosen = {stem.channels[place] for place in best}
    points = maps.shape[1]
    rank = {place: number for number, place in enumerate(zigzag(points))}
    figure = new_figure(4.3 * 3 + 0.8, 4.8)
    axes = figure.subplots(1, 3)
    for component, (axis, name) in enumerate(zip(axes, ("Y", "Cb", "Cr"), strict=True)):
        axis.set_facecolor("0.85")  # channels that the stem has not
        shown = axis.imshow(maps[component], cmap="OrRd", vmin=0, vmax=1)
        for place in range(points * points):
            v, u = divmod(place, points)
            dark = maps[component, v, u] > 0.6
            axis.text(
                u, v, rank[place], ha="center", va="center", color="white" if dark else "black"
            )
            if component * points * points + place in chosen:
                frame = Rectangle((u - 0.46, v - 0.46), 0.92, 0.92, fill=False, linewidth=1.6)
                axis.add_patch(frame)
        axis.set(title=name, xlabel="horizontal frequency u", ylabel="vertical frequency v")
        axis.set_xticks(range(points))
        axis.set_yticks(range(points))
    figure.colorbar(shown, ax=axes, fraction=0.03, label=f"share of {images} images it is on in")
    figure.suptitle(f"zigzag ranks; frames: the {len(best)} channels that are on most often")
    return save_figure(figure, output)
