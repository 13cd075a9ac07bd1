"""Pictures of methods/derefnet.md: decoder beside bound, and whether it knows its errors.

Drawn from benchmarks/unmixing_limits_results.json, which benchmarks/unmixing_limits.py measures.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from figures.drawing import AMBER, BLUE, GREEN, GREY, INK, RED, Drawing

__all__ = ["FIGURES"]

RESULTS = Path(__file__).resolve().parents[3] / "benchmarks" / "unmixing_limits_results.json"
COLOURS = {"1 frame": BLUE, "5 frames": AMBER, "all frames": GREEN}
CONTROL = "control: 1 frame, axes known"
HIGH = 230  # pixels of a panel
WIDE = 300
NORMAL = 68.27  # per cent of a normal distribution within one standard deviation

Place = Callable[[float, float], tuple[float, float]]


def limits() -> Drawing:
    """Error and CSO-mAP over the noise."""
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    draw = Drawing(800, 360, "Error and CSO-mAP over noise: decoder and bound by frames")
    error = _panel(draw, 60, "median error of an axis, pixels", (0, 0.05, 0.1, 0.15, 0.2))
    score = _panel(draw, 460, "CSO-mAP by confidence", (0, 20, 40, 60, 80, 100))
    for name, colour in (*COLOURS.items(), (CONTROL, RED)):
        bound = sorted((float(noise), own) for noise, own in content["bounds"][name].items())
        dashed = name == CONTROL
        for place, key in ((error, "error"), (score, "confidence")):
            line = [place(noise, own[key]) for noise, own in bound]
            draw.arrow(*line, colour=colour, dashed=dashed, head=False)
        for place, key in ((error, "error"), (score, "confidence")):
            for noise, value in _decoded(content, name, key):
                draw.circle(*place(noise, value), 4, fill=colour)
    value = content["grid"]["perfect grid"]
    draw.arrow(score(0, value), score(5, value), colour=GREY, dashed=True, head=False)
    x, y = score(0, value)
    draw.words(x + 6, y + 9, "perfect grid", anchor="start", size=11, colour=GREY)
    _legend(draw)
    return draw


def calibration() -> Drawing:
    """How many of the decoder's errors lie within the standard deviation that it states."""
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    draw = Drawing(560, 330, "Share of errors within one stated standard deviation, over noise")
    share = _panel(draw, 70, "errors within one stated sd, %", (0, 20, 40, 60, 80, 100))
    band = [share(0, 63.3), share(5, 63.3), share(5, 73.3), share(0, 73.3)]
    draw.area(band, fill=GREY, opacity=0.15)
    draw.arrow(share(0, NORMAL), share(5, NORMAL), colour=GREY, dashed=True, head=False)
    draw.words(385, share(5, NORMAL)[1], "68 %, +-5", anchor="start", size=12, colour=GREY)
    for number, (name, colour) in enumerate(COLOURS.items()):
        for noise, value in _decoded(content, name, "within"):
            if noise > 0:  # without noise the decoder's own rounding is all that there is
                draw.circle(*share(noise, value), 4, fill=colour)
        draw.circle(390, 180 + 24 * number, 4, fill=colour)
        draw.words(400, 180 + 24 * number, name, anchor="start", size=12)
    return draw


def _decoded(content: dict, name: str, key: str) -> list[tuple[float, float]]:
    """Noise, and the mean of a figure over the draws."""
    found: dict[float, list[float]] = {}
    for cell, values in content["cells"].items():
        case, frames, noise, _ = cell.split(" | ")
        if case == "as generated" and frames == name:
            found.setdefault(float(noise), []).append(values[key])
    return [(noise, fmean(values)) for noise, values in sorted(found.items())]


def _panel(draw: Drawing, left: float, words: str, ticks: Sequence[float]) -> Place:
    """Axes of a panel; a function from noise and value to a place."""
    top = 34
    draw.rect(left, top, WIDE, HIGH, stroke="#cbd5e1", line=1)
    draw.words(left + WIDE / 2, 18, words, bold=True)

    def place(noise: float, value: float) -> tuple[float, float]:
        share = min(value / ticks[-1], 1.0)
        return round(left + WIDE * noise / 5, 2), round(top + HIGH * (1 - share), 2)

    for tick in ticks:
        x, y = place(0, tick)
        draw.arrow((x - 4, y), (x, y), head=False, colour=INK)
        draw.words(x - 8, y, f"{tick:g}", anchor="end", size=11)
    for noise in range(6):
        x, y = place(noise, 0)
        draw.arrow((x, y), (x, y + 4), head=False, colour=INK)
        draw.words(x, y + 14, str(noise), size=11)
    draw.words(left + WIDE / 2, top + HIGH + 32, "noise, grey levels", size=12)
    return place


def _legend(draw: Drawing) -> None:
    x = 60.0
    for name, colour in COLOURS.items():
        draw.circle(x, 322, 4, fill=colour)
        draw.words(x + 10, 322, name, anchor="start", size=12)
        x += 95
    draw.words(x, 322, "points: decoder, lines: bound", anchor="start", size=12, colour=GREY)
    draw.arrow((54, 344), (82, 344), colour=RED, dashed=True, head=False)
    words = "control, bound of 1 frame with the axes known: a rule of the generator and no physics"
    draw.words(90, 344, words, anchor="start", size=12)


FIGURES = {"unmixing_limits": limits, "unmixing_calibration": calibration}
