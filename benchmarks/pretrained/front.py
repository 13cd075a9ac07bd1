"""The comparison as a short table for README.md, written between two marks."""

import re
import statistics
from pathlib import Path

from pretrained.arms import ARMS
from pretrained.paired import Difference, difference, pooled
from pretrained.results import values

BEGIN, END = "<!-- evidence: begin -->", "<!-- evidence: end -->"
# what README calls the data sets, in the order of its columns
TITLES = {"kit_ais": "aerial", "sirst": "infrared"}
# what README calls the arms; one that is not here stands in the full table alone
NAMES = {
    "FPN": "FPN (Faster R-CNN, the baseline)",
    "HS-FPN paper": "HS-FPN, preset `paper`",
    "HS-FPN from FPN": "HS-FPN, preset `d2freq` (starts as the FPN)",
    "HS-FPN released": "HS-FPN, preset `released`",
    "3x3 conv": "one more 3x3 convolution a level, as large as HS-FPN",
    "3x3 conv from FPN": "the same convolution, started as the FPN",
    "NWD": "NWD label assignment",
    "RFLA": "RFLA label assignment",
    "FFTFPN": "FFTFPN",
    "WaveletFPN": "WaveletFPN",
    "FCOS": "FCOS (the baseline of SET)",
    "FCOS SET": "FCOS with SET",
    "FCOS, SET's time": "FCOS, trained as long as with SET",
}


def table(results: dict) -> str:
    """A row for each arm that two or more seeds of a data set have been through."""
    shown = [data for data in TITLES if len(values(results, data, "FPN", "AP")) > 1]
    head = ["method"]
    for data in shown:
        head += [f"AP, {TITLES[data]}", "gain (95 % interval)"]
    head += ["gain over both"] if len(shown) > 1 else []
    head += ["training step", "inference", "seeds"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for arm, name in NAMES.items():
        aps = {data: values(results, data, arm, "AP") for data in shown}
        if all(len(ap) < 2 for ap in aps.values()):
            continue
        baseline = ARMS[arm].baseline
        cells, pairs = [name], []
        for data, ap in aps.items():
            pair = difference(ap, values(results, data, baseline, "AP")) if baseline else None
            cells += [_mean(ap), _gain(pair)]
            pairs += [pair] if pair else []
        cells += [_both(pairs)] if len(shown) > 1 else []
        cells += [_ratio(results, shown, arm, key) for key in ("step_s", "inference_s")]
        cells.append(" + ".join(str(len(ap)) for ap in aps.values()))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(results: dict, file: Path) -> None:
    """Put the table between the marks of ``file``.

    Raises:
        ValueError: the marks are not there.
    """
    text = file.read_text(encoding="utf-8")
    marks = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not marks.search(text):
        raise ValueError(f"{file}: no {BEGIN} ... {END}")
    body = f"{BEGIN}\n{table(results)}\n{END}"
    file.write_text(marks.sub(lambda _: body, text), encoding="utf-8")


def _mean(of_seeds: dict[int, float]) -> str:
    return f"{statistics.mean(of_seeds.values()):.1f}" if of_seeds else "-"


def _gain(pair: Difference | None) -> str:
    if pair is None:
        return ""
    if pair.low is None or pair.high is None:
        return f"{pair.mean:+.1f} (one pair)"
    return _interval(pair.mean, pair.low, pair.high, mark=pair.clear)


def _both(pairs: list[Difference]) -> str:
    found = pooled(pairs)
    if not found:
        return ""
    enough = all(len(pair.values) > 2 for pair in pairs)
    return _interval(*found, mark=enough and found[1] * found[2] > 0)


def _interval(mean: float, low: float, high: float, *, mark: bool) -> str:
    bold = "**" if mark else ""
    return f"{bold}{mean:+.1f}{bold} ({low:+.1f} to {high:+.1f})"


def _ratio(results: dict, shown: list[str], arm: str, key: str) -> str:
    """Against the arm's baseline, measured beside it; the mean over data sets."""
    ratios = []
    for data in shown:
        costs = results["cost"].get(data, {})
        baseline = ARMS[arm].baseline or arm
        if arm in costs and baseline in costs:
            ratios.append(costs[arm][key] / costs[baseline][key])
    return f"{statistics.mean(ratios):.2f}" if ratios else ""
