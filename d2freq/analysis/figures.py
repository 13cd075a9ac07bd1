"""Figures drawn without a display, as PNG files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["new_figure", "outline", "save_figure"]


def new_figure(width: float, height: float) -> Any:
    """A matplotlib figure of so many inches, laid out so that labels do not overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def outline(corners: Sequence[float], color: str) -> Any:
    """The frame of a box x0, y0, x1, y1, to be added to a panel."""
    from matplotlib.patches import Rectangle

    x0, y0, x1, y1 = corners
    return Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=color, linewidth=1.5)


def save_figure(figure: Any, output: str | os.PathLike) -> Path:
    """Write the PNG; missing folders are made. Returns ``output``."""
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, format="png")
    return path
