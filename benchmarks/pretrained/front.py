"""The comparison as a short table for README.md, written between two marks."""

import re
import statistics
from pathlib import Path

from pretrained.arms import ARMS
from pretrained.paired import Difference, difference
from pretrained.results import values

BEGIN, END = "<!-- evidence: begin -->", "<!-- evidence: end -->"
# what README calls the arms; one that is not here stands in the full table alone
NAMES = {
    "FPN": "FPN (Faster R-CNN, the baseline)",
    "HS-FPN paper": "HS-FPN, preset `paper`",
    "HS-FPN released": "HS-FPN, preset `released`",
    "3x3 conv": "one more 3x3 convolution a level, as large as HS-FPN",
    "NWD": "NWD label assignment",
    "RFLA": "RFLA label assignment",
    "FFTFPN": "FFTFPN",
    "WaveletFPN": "WaveletFPN",
    "FCOS": "FCOS (the baseline of SET)",
    "FCOS SET": "FCOS with SET",
    "FCOS, SET's time": "FCOS, trained as long as with SET",
}


def table(results: dict, data: str) -> str:
    """A row for each arm that two or more seeds have been through."""
    head = ["method", "AP", "AP50", "gain in AP (95 % interval)", "training step", "inference"]
    lines = [f"| {' | '.join([*head, 'seeds'])} |", "|---" * (len(head) + 1) + "|"]
    costs = results["cost"].get(data, {})
    for arm, name in NAMES.items():
        ap, ap50 = (values(results, data, arm, figure) for figure in ("AP", "AP50"))
        if len(ap) < 2:
            continue
        baseline = ARMS[arm].baseline
        pair = difference(ap, values(results, data, baseline, "AP")) if baseline else None
        cells = [name, _mean(ap), _mean(ap50), _gain(pair)]
        cells += [_ratio(costs, arm, baseline, key) for key in ("step_s", "inference_s")]
        lines.append(f"| {' | '.join([*cells, str(len(ap))])} |")
    return "\n".join(lines)


def write(results: dict, data: str, file: Path) -> None:
    """Put the table between the marks of ``file``.

    Raises:
        ValueError: the marks are not there.
    """
    text = file.read_text(encoding="utf-8")
    marks = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not marks.search(text):
        raise ValueError(f"{file}: no {BEGIN} ... {END}")
    body = f"{BEGIN}\n{table(results, data)}\n{END}"
    file.write_text(marks.sub(lambda _: body, text), encoding="utf-8")


def _mean(of_seeds: dict[int, float]) -> str:
    return f"{statistics.mean(of_seeds.values()):.1f}"


def _gain(pair: Difference | None) -> str:
    if pair is None:
        return ""
    if pair.low is None or pair.high is None:
        return f"{pair.mean:+.1f} (one pair)"
    mark = "**" if pair.clear else ""
    return f"{mark}{pair.mean:+.1f}{mark} ({pair.low:+.1f} to {pair.high:+.1f})"


def _ratio(costs: dict, arm: str, baseline: str, key: str) -> str:
    if arm not in costs or (baseline and baseline not in costs):
        return ""
    return f"{costs[arm][key] / costs[baseline or arm][key]:.2f}"
