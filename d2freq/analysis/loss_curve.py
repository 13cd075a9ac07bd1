"""The loss curve of a training run as a PNG, with AP beside it where it was measured."""

import json
import math
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from d2freq.analysis.figures import new_figure, save_figure
from d2freq.errors import UserError

MEANING = (
    "AP is the mean over overlaps (IoU) of 0.50 to 0.95; AP50 and AP75 count a detection as a hit "
    "from one overlap on; AP with a letter is that of objects of one size, by the protocol"
)

Series = dict[str, tuple[list[int], list[float]]]


def read_metrics(metrics: str | os.PathLike) -> Series:
    """Read Detectron2's metrics.json: one JSON object a line, with ``iteration``.

    Iterations that were logged twice (a resumed run) keep their last value; a last line that was
    cut off is skipped.

    Raises:
        UserError: there is no such file, or no metric in it.
    """
    try:
        lines = Path(metrics).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{metrics}: {error.strerror}; a training run writes it") from error
    points: dict[str, dict[int, float]] = defaultdict(dict)
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise UserError(f"{metrics}: line {number} is no JSON ({error})") from error
        if not isinstance(record, dict) or "iteration" not in record:
            continue
        for key, value in record.items():
            if key != "iteration" and isinstance(value, int | float) and math.isfinite(value):
                points[key][record["iteration"]] = float(value)
    if not points:
        raise UserError(f"{metrics}: holds no metrics; has the run logged anything yet?")
    series = {key: sorted(values.items()) for key, values in points.items()}
    return {key: ([i for i, _ in pairs], [v for _, v in pairs]) for key, pairs in series.items()}


def plot_losses(metrics: str | os.PathLike, output: str | os.PathLike) -> Path:
    """Draw total and single losses over iterations, AP on a second panel; returns ``output``.

    Raises:
        UserError: the file has no losses.
    """
    series = read_metrics(metrics)
    losses = {k: v for k, v in series.items() if k.startswith("loss") or "/loss" in k}
    losses = {"total_loss": series["total_loss"]} | losses if "total_loss" in series else losses
    if not losses:
        raise UserError(f"{metrics}: no 'total_loss' and no 'loss*'; it has {sorted(series)[:8]}")
    scores = {k: v for k, v in series.items() if _is_score(k)}
    figure = new_figure(11 if scores else 6.5, 4.2)
    panels = figure.subplots(1, 2 if scores else 1, squeeze=False)[0]
    for name, (iterations, values) in losses.items():
        total = name == "total_loss"
        style = {"color": "black", "linewidth": 1.8} if total else {"linewidth": 1.0}
        if len(values) == 1:  # a line of one point is none
            style |= {"marker": "o", "markersize": 5}
        panels[0].plot(iterations, values, label=name, **style)
    panels[0].set(xlabel="iteration", ylabel="loss", title="Training losses")
    panels[0].set_ylim(bottom=0)
    panels[0].grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    if scores:
        draw = _bars if all(len(values) == 1 for _, values in scores.values()) else _lines
        draw(panels[1], scores)
    return save_figure(figure, output, how=MEANING if scores else "")


def _lines(panel: Any, scores: Series) -> None:
    """Scores over iterations; AP itself is the thick line."""
    for name, (iterations, values) in scores.items():
        whole = name.endswith("bbox/AP")
        style = {"color": "black", "linewidth": 2.2} if whole else {"linewidth": 1.0}
        panel.plot(iterations, values, marker="o", markersize=4, label=_label(name), **style)
    panel.set(xlabel="iteration", ylabel="percent", title="Average precision on the test set")
    panel.set_ylim(0, 100)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)


def _bars(panel: Any, scores: Series) -> None:
    """A bar for each score, named and with its number, where all were measured once."""
    names = list(scores)
    values = [scores[name][1][0] for name in names]
    colours = ["black" if name.endswith("bbox/AP") else "tab:blue" for name in names]
    bars = panel.barh([_label(name) for name in names], values, color=colours, height=0.7)
    panel.bar_label(bars, fmt="%.1f", padding=4, fontsize=9)
    measured = max(iterations[0] for iterations, _ in scores.values())
    panel.set(xlabel="percent", title=f"Average precision, measured once, at iteration {measured}")
    panel.set_xlim(0, 100)
    panel.invert_yaxis()
    panel.grid(alpha=0.3, axis="x")
    panel.set_axisbelow(True)


def _label(name: str) -> str:
    """``ema/bbox/AP50`` as ``ema/AP50``."""
    return name.replace("bbox/", "")


def _is_score(key: str) -> bool:
    """``bbox/AP`` or ``<data set>/bbox/AP50``, not the AP of single categories."""
    return "bbox/AP" in key and "bbox/AP-" not in key
