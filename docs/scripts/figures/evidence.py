"""Picture of README's "Does it help?": what a method gains against what its training step costs.

Drawn from benchmarks/evidence_results.json, which `benchmarks/evidence.py pretrained run` measures.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from figures.drawing import AMBER, BLUE, GREEN, GREY, INK, RED, Drawing

__all__ = ["FIGURES"]

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
TITLES = {"kit_ais": "aerial, vehicles of 10 to 19 px", "sirst": "infrared, targets of 5 px"}
# name in the results -> name in the picture, colour
SHOWN = {
    "HS-FPN paper": ("HS-FPN, as published", RED),
    "HS-FPN from FPN": ("HS-FPN, starts as FPN", GREEN),
    "3x3 conv": ("3x3 convolution", GREY),
    "3x3 conv from FPN": ("3x3 convolution, starts as FPN", INK),
    "NWD": ("NWD", BLUE),
    "FCOS SET": ("SET, against FCOS", AMBER),
}
GAINS = (-15, -10, -5, 0, 5, 10)
COSTS = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
LEFT, WIDE, TOP, HIGH = 60, 320, 34, 260
SEEDS = 3  # fewer give no interval worth the name

Place = Callable[[float, float], tuple[float, float]]


def gain_and_cost() -> Drawing:
    """A panel for each data set: single seeds, their mean, and its 95 % interval."""
    if str(BENCHMARKS) not in sys.path:
        sys.path.insert(0, str(BENCHMARKS))
    from pretrained.arms import ARMS
    from pretrained.paired import difference
    from pretrained.results import read, values

    results = read()
    draw = Drawing(830, 420, "Gain in AP of each method against the time of its training step")
    for number, (data, title) in enumerate(TITLES.items()):
        place = _panel(draw, LEFT + number * (WIDE + 70), title)
        costs = results["cost"].get(data, {})
        for arm, (_, colour) in SHOWN.items():
            baseline = ARMS[arm].baseline
            pair = difference(
                values(results, data, arm, "AP"), values(results, data, baseline, "AP")
            )
            if pair is None or arm not in costs or baseline not in costs:
                continue
            cost = costs[arm]["step_s"] / costs[baseline]["step_s"]
            if len(pair.values) >= SEEDS and pair.low is not None and pair.high is not None:
                draw.arrow(place(cost, pair.low), place(cost, pair.high), colour=colour, head=False)
            for value in pair.values:
                draw.circle(*place(cost, value), 3, fill=colour, opacity=0.45)
            x, y = place(cost, pair.mean)
            draw.rect(x - 4, y - 4, 8, 8, fill=colour, stroke=colour)
    _legend(draw)
    return draw


def _panel(draw: Drawing, left: float, title: str) -> Place:
    """Axes of a panel; a function from cost and gain to a place, which stays within the panel."""
    draw.rect(left, TOP, WIDE, HIGH, stroke="#cbd5e1", line=1)
    draw.words(left + WIDE / 2, 18, title, bold=True)
    low, high = COSTS[0] - 0.1, COSTS[-1] + 0.1

    def place(cost: float, gain: float) -> tuple[float, float]:
        x = (min(max(cost, low), high) - low) / (high - low)
        y = (min(max(gain, GAINS[0]), GAINS[-1]) - GAINS[0]) / (GAINS[-1] - GAINS[0])
        return round(left + WIDE * x, 2), round(TOP + HIGH * (1 - y), 2)

    for gain in GAINS:
        _, y = place(low, gain)
        draw.arrow((left - 4, y), (left, y), head=False)
        draw.words(left - 8, y, f"{gain:+d}" if gain else "0", anchor="end", size=11)
    draw.arrow(place(low, 0), place(high, 0), colour=GREY, dashed=True, head=False)
    for cost in COSTS:
        x, _ = place(cost, 0)
        draw.arrow((x, TOP + HIGH), (x, TOP + HIGH + 4), head=False)
        draw.words(x, TOP + HIGH + 14, f"{cost:g}", size=11)
    draw.words(left + WIDE / 2, TOP + HIGH + 32, "time of a training step, baseline = 1", size=12)
    return place


def _legend(draw: Drawing) -> None:
    for number, (words, colour) in enumerate(SHOWN.values()):
        x, y = 66 + 245 * (number % 3), 350 + 22 * (number // 3)
        draw.rect(x - 4, y - 4, 8, 8, fill=colour, stroke=colour)
        draw.words(x + 12, y, words, anchor="start", size=12)
    words = (
        "up: gain in AP over the baseline. Dots: single seeds; square: their mean; line: 95 % "
        "interval, from three seeds on"
    )
    draw.words(62, 402, words, anchor="start", size=12, colour=GREY)


FIGURES = {"gain_and_cost": gain_and_cost}
