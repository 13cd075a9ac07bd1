"""A figure of unmixed frames: where the targets are in one of them, and the way that they went."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2freq.analysis.figures import new_figure, save_figure

__all__ = ["plot_tracks"]

SIGMAS = 2.0  # of an ellipse; 86 of 100 targets lie within


def plot_tracks(
    images: np.ndarray,
    points: Sequence[np.ndarray],
    covariances: Sequence[np.ndarray],
    tracks: Sequence[np.ndarray],
    output: str | os.PathLike,
    *,
    origin: tuple[int, int] = (0, 0),
    how: str = "",
) -> Path:
    """The middle frame with its targets and their ellipses, and all tracks over the mean frame.

    Args:
        images: (T, m, m).
        points: of each frame (n, 3): row, column, intensity.
        covariances: of each frame (n, 2, 2), in square pixels.
        tracks: of each frame (n,), numbers from 1 on.
        origin: row and column of the images' first pixel.
        how: a line below the figure.
    """
    from matplotlib.patches import Ellipse

    figure = new_figure(9.0, 5.2)
    one, all_frames = figure.subplots(1, 2)
    size = images.shape[-1]
    top, left = origin
    extent = (left - 0.5, left + size - 0.5, top + size - 0.5, top - 0.5)
    middle = len(images) // 2
    for axes, picture, title in (
        (one, images[middle], f"frame {middle}, ellipses of {SIGMAS:g} sigma"),
        (all_frames, images.mean(0), "tracks over the mean frame"),
    ):
        axes.imshow(picture, cmap="gray", extent=extent, interpolation="nearest")
        axes.set(title=title, xlabel="column, pixels", ylabel="row, pixels")
    for point, spread, track in zip(
        points[middle], covariances[middle], tracks[middle], strict=True
    ):
        values, vectors = np.linalg.eigh(spread)
        # of the longer axis (column, row), against the column
        angle = np.degrees(np.arctan2(vectors[0, 1], vectors[1, 1]))
        height, width = 2 * SIGMAS * np.sqrt(values.clip(min=0))
        color = f"C{(track - 1) % 10}"
        one.plot(point[1], point[0], "+", color=color)
        place = (point[1], point[0])
        one.add_patch(Ellipse(place, width, height, angle=angle, fill=False, edgecolor=color))
    known = np.concatenate([np.zeros((0, 3)), *points])
    numbers = np.concatenate([np.zeros(0, np.int64), *tracks])
    for track in np.unique(numbers):
        own = known[numbers == track]
        all_frames.plot(own[:, 1], own[:, 0], ".-", color=f"C{(track - 1) % 10}", markersize=3)
    return save_figure(figure, output, how=how)
