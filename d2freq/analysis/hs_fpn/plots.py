"""Figures of HS-FPN's maps: responses (Fig. 8), levels (Figs. 7, 11 to 13), channel weights (10).

Every map is drawn over the pixels of the image, with its own colour scale beside it.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2freq.analysis.figures import new_figure, outline, save_figure
from d2freq.analysis.hs_fpn.clutter import PATCH, SURROUND, filter_block, signal_to_clutter, windows
from d2freq.analysis.hs_fpn.maps import Recording, energy, responses
from d2freq.errors import UserError

__all__ = ["plot_channels", "plot_clutter", "plot_levels", "plot_responses"]

NAMES = {"lateral": "C{}", "hfp": "C{} after HFP", "sdp": "C{} after SDP", "output": "P{}"}
SATURATED = 0.01  # a weight this close to 0 or 1 hardly has a gradient


def plot_responses(
    recording: Recording, output: str | os.PathLike, *, stage: int = 2, alphas: Sequence[float]
) -> Path:
    """The image and the energy of F_i for each alpha; returns ``output``."""
    maps = responses(recording.level(stage)["lateral"], alphas)
    panels = [("image", recording.image)]
    panels += [(f"$F_{stage}$, alpha = {alpha:g}", value) for alpha, value in maps.items()]
    return _grid(panels, output, columns=4)


def plot_levels(recording: Recording, output: str | os.PathLike, *, stages: Sequence[int]) -> Path:
    """The image and each level before and after HFP and SDP, a row a level; returns ``output``."""
    panels = []
    for stage in stages:
        steps = recording.level(stage)
        panels.append(("image", recording.image))
        panels += [(NAMES[name].format(stage), energy(value)) for name, value in steps.items()]
    return _grid(panels, output, columns=len(panels) // len(stages))


def plot_channels(recording: Recording, output: str | os.PathLike) -> Path:
    """The weight of each channel, a panel a level, with the saturated share; returns ``output``.

    Raises:
        UserError: the neck has no channel path.
    """
    weights = recording.weights
    if not weights:
        raise UserError("the neck has no channel path: use a config with HS-FPN's CHANNEL_PATH on")
    figure = new_figure(9, 1.9 * len(weights) + 0.6)
    panels = figure.subplots(len(weights), 1, squeeze=False)[:, 0]
    for panel, (stage, values) in zip(panels, weights.items(), strict=True):
        panel.bar(np.arange(len(values)), values, width=1.0, color="tab:blue")
        saturated = np.mean((values < SATURATED) | (values > 1 - SATURATED))
        panel.set(
            ylabel="weight $u^{CP}$",
            ylim=(0, 1),
            xlim=(-0.5, len(values) - 0.5),
            title=f"level {stage}: mean {values.mean():.2f}, {saturated:.0%} within {SATURATED:g} "
            "of 0 or 1",
        )
    panels[-1].set_xlabel("channel")
    return save_figure(figure, output)


def plot_clutter(
    grey: np.ndarray,
    boxes: Sequence[Sequence[float]],
    output: str | os.PathLike,
    *,
    sizes: Sequence[int],
    patch: int = PATCH,
    surround: float = SURROUND,
) -> dict[int, np.ndarray]:
    """SCR against the side n of the filtered DCT block (HS-FPN, Eq. 1 and Fig. 1).

    The first box's neighbourhood is shown after each filter, as a picture and as a surface; the
    last panel has the ratio of every box and their median.

    Args:
        grey: (H, W), grey values.
        boxes: targets, x, y, width, height in pixels.
        sizes: n of each filter; 0 is the image itself.

    Returns:
        n -> the SCR of each box (len(boxes),) float64.

    Raises:
        UserError: no box, or one that windows() refuses.
    """
    if not boxes or not sizes:
        raise UserError("SCR needs a target (--box X Y W H, or --annotations) and a filter size")
    places = [windows(grey.shape[:2], box, patch=patch, surround=surround) for box in boxes]
    images = {size: filter_block(grey, size) for size in sizes}
    ratios = {
        size: np.array([signal_to_clutter(image, *place) for place in places])
        for size, image in images.items()
    }
    columns = len(sizes)
    figure = new_figure(2.6 * columns + 4, 5.6)
    grid = figure.add_gridspec(2, columns + 1, width_ratios=[1.0] * columns + [1.5])
    (tx0, ty0, tx1, ty1), (x0, y0, x1, y1) = places[0]
    rows, across = np.mgrid[y0:y1, x0:x1]
    for column, (size, image) in enumerate(images.items()):
        part = image[y0:y1, x0:x1]
        panel = figure.add_subplot(grid[0, column])
        panel.imshow(part, cmap="gray", extent=(x0, x1, y1, y0), interpolation="nearest")
        panel.add_patch(outline((tx0, ty0, tx1, ty1), "tab:red"))
        name = "no filter" if size == 0 else f"DCT[:{size}, :{size}] = 0"
        panel.set(title=f"{name}\nSCR {ratios[size][0]:.2f}", xlabel="x, pixels")
        if column == 0:
            panel.set_ylabel("y, pixels")
        surface = figure.add_subplot(grid[1, column], projection="3d")
        surface.plot_surface(across, rows, part, cmap="viridis", rcount=40, ccount=40)
        surface.set(xlabel="x", ylabel="y", zlabel="grey value")
    curve = figure.add_subplot(grid[:, columns])
    place = np.arange(columns)  # sizes as names: 0, 1, 10, 100 fit no common scale
    values = np.stack(list(ratios.values()))
    if values.shape[1] > 1:
        curve.plot(place, values, color="0.75", linewidth=0.8)
    curve.plot(place, np.median(values, axis=1), "o-", color="tab:red", label="median")
    curve.set_xticks(place, [str(size) for size in sizes])
    curve.set(
        xlabel="side n of the filtered DCT block",
        ylabel="SCR",
        title=f"{len(boxes)} target(s)",
        ylim=(0, None),
    )
    curve.legend()
    save_figure(figure, output)
    return ratios


def _grid(panels: list[tuple[str, np.ndarray]], output: str | os.PathLike, columns: int) -> Path:
    """Titled pictures (H, W, 3) and maps (h, w), all over the pixels of the first picture."""
    lines = -(-len(panels) // columns)
    height, width = panels[0][1].shape[:2]
    tall = 3.2 * min(max(height / width, 0.4), 2.5) + 0.6
    figure = new_figure(4.2 * columns, tall * lines)
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for axis, (title, values) in zip(axes, panels, strict=False):
        shown = axis.imshow(
            values,
            cmap="viridis",
            vmin=0,
            vmax=values.max() or 1,  # an empty response is dark, not half way up its scale
            extent=(0, width, height, 0),  # pixels of the image, also for a smaller map
            interpolation="nearest",
        )
        axis.set(title=title, xlabel="x, pixels", ylabel="y, pixels")
        if values.ndim == 2:
            label = "mean |value| over channels"
            figure.colorbar(shown, ax=axis, fraction=0.045, pad=0.03, label=label)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    return save_figure(figure, output)
