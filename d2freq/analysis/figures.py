"""Figures drawn without a display, as PNG files."""

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["new_figure", "outline", "save_figure"]


def new_figure(width: float, height: float) -> Any:
    """A matplotlib figure of so many inches, laid out so that labels do not overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def outline(corners: Sequence[float], color: str) -> Any:
    """The frame of a box x0, y0, x1, y1, to be added to a panel."""
    from matplotlib.patches import Rectangle

    x0, y0, x1, y1 = corners
    return Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=color, linewidth=1.5)


def save_figure(figure: Any, output: str | os.PathLike, *, how: str = "") -> Path:
    """Write the PNG, with ``how`` it was measured below; missing folders are made.

    Returns ``output``.
    """
    if how:
        columns = int(20 * figure.get_figwidth())  # that fit in a line of this size
        figure.supxlabel(textwrap.fill(how, columns), x=0.01, ha="left", fontsize=6, color="0.3")
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi="figure", format="png")
    return path
