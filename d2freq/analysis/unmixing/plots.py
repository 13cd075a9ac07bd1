"""Figures of unmixing: methods side by side, a sequence, and how two spots overlap.

All panels share pixel coordinates, so a grid of thirds of a pixel lies over the frame that it was
made from. True positions are crosses, decoded ones circles.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from d2freq.analysis.figures import new_figure, save_figure
from d2freq.analysis.unmixing.maps import Unmixed
from d2freq.errors import UserError
from d2freq.ops.psf import render

__all__ = ["plot_methods", "plot_overlap", "plot_sequence"]

RAYLEIGH = 1.91  # sigmas within which a spot has 84 % of its energy (DeRefNet, Sec. 3)
BRIGHT = 250.0  # grey levels, the brightest target and the top of every grid's scale
CUT = 3.0  # pixels of the overlap that are shown on either side
FINE = 20  # samples a pixel of the light before the sensor


@dataclass(frozen=True)
class Panel:
    """A frame or grid with marks.

    Attributes:
        values: (s, s) grey levels, over the whole frame.
        size: pixels a side of that frame, m.
        targets: (K, 2) true positions, row and column.
        found: (n, 3) decoded targets, or None.
        top: grey level that is white; the panel's own maximum where it is 0.
    """

    values: np.ndarray
    size: int
    targets: np.ndarray
    found: np.ndarray | None = None
    top: float = BRIGHT


def plot_methods(
    scenes: Sequence[Unmixed],
    output: str | os.PathLike,
    *,
    frame: int,
    margin: float | None = 2.5,
) -> Path:
    """Input, every model, ground truth: a row a trajectory (DeRefNet, Fig. 6).

    Args:
        scenes: the trajectories.
        frame: number of the frame that is drawn.
        margin: pixels that are shown around the targets; None shows whole frames.

    Raises:
        UserError: no trajectory, or a frame that was not unmixed.
    """
    if not scenes:
        raise UserError("no trajectory to draw; name at least one")
    rows = [_column(scene, scene.place(frame)) for scene in scenes]
    names = [
        f"trajectory {scene.trajectory}\nframe {frame}, {len(scene.positions[0])} targets"
        for scene in scenes
    ]
    return _lattice(list(rows[0]), names, [list(row.values()) for row in rows], output, margin)


def plot_sequence(
    scene: Unmixed,
    output: str | os.PathLike,
    *,
    frames: Sequence[int],
    margin: float | None = 2.5,
) -> Path:
    """One trajectory: a column a frame; input, every model, truth below (DeRefNet, Fig. 5).

    Raises:
        UserError: no frame, or one that was not unmixed.
    """
    if not frames:
        raise UserError("no frame to draw; name at least one")
    columns = [_column(scene, scene.place(number)) for number in frames]
    names = list(columns[0])
    panels = [[column[name] for column in columns] for name in names]
    heads = [f"frame {number}" for number in frames]
    return _lattice(heads, names, panels, output, margin)


def plot_overlap(
    output: str | os.PathLike,
    *,
    distances: Sequence[float],
    size: int = 11,
    sigma: float = 0.5,
    intensity: float = 235.0,
) -> Path:
    """Two sources that come closer: light, pixels, and a cut (DeRefNet, Figs. 2 and 7).

    The top row is the light before the sensor, the middle what its pixels integrate, the bottom a
    cut through both sources: each one's light, their sum and the pixels' values.

    Args:
        distances: pixels between the sources, a column each.
        size: pixels a side.
        sigma: standard deviation of the spot in pixels.
        intensity: of both sources, in grey levels.

    Raises:
        UserError: no distance, a negative one, or one that leads out of the frame.
    """
    wrong = [distance for distance in distances if not 0 <= distance < size - 1]
    if wrong or not distances:
        raise UserError(
            f"--distances {wrong[0] if wrong else ''}: pixels from 0 to below {size - 1} are "
            "expected"
        )
    figure = new_figure(2.9 * len(distances) + 0.6, 7.6)
    axes = figure.subplots(3, len(distances), squeeze=False)
    middle = (size - 1) / 2
    fine = np.linspace(-0.5, size - 0.5, FINE * size)
    peak = 1.05 * intensity / (sigma * (2 * np.pi) ** 0.5)
    for column, distance in enumerate(distances):
        places = middle + distance * np.array([-0.5, 0.5])
        waves = np.exp(-((fine - places[:, None]) ** 2) / (2 * sigma**2))
        waves *= intensity / (sigma * (2 * np.pi) ** 0.5)
        across = np.exp(-((fine - middle) ** 2) / (2 * sigma**2)) / (sigma * (2 * np.pi) ** 0.5)
        targets = np.stack([np.full(2, middle), places], 1)
        lights = torch.full((2,), intensity, dtype=torch.float64)
        pixels = render(torch.from_numpy(targets), lights, size=size, sigma=sigma).numpy()
        _draw(axes[0, column], Panel(np.outer(across, waves.sum(0)), size, targets, top=0.0), CUT)
        _draw(axes[1, column], Panel(pixels, size, targets, top=0.0), CUT)
        apart = distance / (RAYLEIGH * sigma)
        axes[0, column].set_title(f"{distance:g} px apart = {apart:.2f} R")
        cut = axes[2, column]
        for wave in waves:
            cut.plot(fine, wave, color="0.6", linewidth=1.0)
        cut.plot(fine, waves.sum(0), color="tab:blue", label="light, one dimension")
        edges = np.arange(size + 1) - 0.5
        cut.stairs(pixels.sum(0), edges, color="tab:red", label="pixels, summed over rows")
        cut.vlines(places, 0, 2 * peak, color="0.3", linestyle=":", linewidth=1.0)
        cut.set(xlim=(middle - CUT, middle + CUT), ylim=(0, 2 * peak), xlabel="column, pixels")
    for row, name in enumerate(("light", "frame", "grey levels")):
        axes[row, 0].set_ylabel(name)
    axes[2, 0].legend(fontsize=7, loc="upper left")
    return save_figure(figure, output)


def _column(scene: Unmixed, place: int) -> dict[str, Panel]:
    """All panels of one frame by name, from input to ground truth."""
    targets, size = scene.positions[place], scene.frames.shape[-1]
    panels = {"input": Panel(scene.frames[place], size, targets, top=0.0)}
    for name, grids in scene.grids.items():
        found = scene.points[name][place] if name in scene.points else None
        panels[name] = Panel(grids[place], size, targets, found)
    return panels | {"ground truth": Panel(scene.truth[place], size, targets)}


def _lattice(
    heads: Sequence[str],
    names: Sequence[str],
    panels: Sequence[Sequence[Panel]],
    output: str | os.PathLike,
    margin: float | None,
) -> Path:
    """Rows of panels with a name each under heads of columns."""
    figure = new_figure(2.2 * len(heads) + 0.7, 2.2 * len(names) + 0.5)
    axes = figure.subplots(len(names), len(heads), squeeze=False)
    for row, (name, own) in enumerate(zip(names, panels, strict=True)):
        for column, panel in enumerate(own):
            _draw(axes[row, column], panel, margin)
            if row == 0:
                axes[row, column].set_title(heads[column])
        axes[row, 0].set_ylabel(name)
    decoded = any(panel.found is not None for own in panels for panel in own)
    figure.supxlabel("cross: true position" + (", circle: decoded" if decoded else ""), fontsize=9)
    return save_figure(figure, output)


def _draw(axis, panel: Panel, margin: float | None = None) -> None:
    """One panel in pixels of the frame, rows downward."""
    axis.imshow(
        panel.values,
        cmap="gray",
        vmin=0,
        vmax=panel.top or max(float(panel.values.max()), 1e-9),
        extent=(-0.5, panel.size - 0.5, panel.size - 0.5, -0.5),
        interpolation="nearest",
    )
    axis.plot(panel.targets[:, 1], panel.targets[:, 0], "+", color="tab:red", markersize=7)
    if panel.found is not None:
        rows, columns = panel.found[:, 0], panel.found[:, 1]
        style = {"markersize": 9, "markerfacecolor": "none", "linestyle": "none"}
        axis.plot(columns, rows, "o", color="tab:cyan", **style)
    axis.set(xticks=[], yticks=[])
    if margin is not None:
        row, column = panel.targets.mean(0)
        axis.set(xlim=(column - margin, column + margin), ylim=(row + margin, row - margin))
    axis.set_facecolor("0.25")  # beyond the frame
