"""Tables and plots of the results file."""

import statistics
from pathlib import Path

from pretrained.arms import ARMS, DATA
from pretrained.paired import Difference, difference
from pretrained.results import values

COLUMNS = ("AP", "AP50", "APvt", "APt", "APs", "Pd", "Fa")


def table(results: dict, data: str) -> str:
    """A row for each arm: mean (spread) of each figure, and the paired difference in AP."""
    present = [arm for arm in ARMS if values(results, data, arm, "AP")]
    if not present:
        return "no run is done"
    columns = [c for c in COLUMNS if any(values(results, data, arm, c) for arm in present)]
    head = ["arm", "seeds", *columns, "difference in AP", "95 % interval", "parameters, M"]
    head += ["GMACs", "step", "inference"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    costs = results["cost"].get(data, {})
    for arm in present:
        figures = [values(results, data, arm, column) for column in columns]
        cells = [arm, str(len(figures[0])), *(_mean(each) for each in figures)]
        cells += [*_against(_paired(results, data, arm)), *_costs(costs, arm)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def curves(results: dict, data: str) -> str:
    """AP of the baselines along the schedule, and what its last quarter gained."""
    lines = []
    for run in results["runs"]:
        if run["data"] == data and len(run["curve"]) > 2 and not ARMS[run["arm"]].baseline:
            steps = run["steps"]
            at = {step: value for step, value in run["curve"]}
            last = at[max(at)]
            before = at[min(at, key=lambda step: abs(step - 0.75 * steps))]
            points = ", ".join(f"{step}: {value:.1f}" for step, value in run["curve"])
            lines.append(
                f"{run['arm']}, seed {run['seed']}: {points}; last quarter {last - before:+.1f}"
            )
    return "\n".join(lines)


def plot(results: dict, data: str, folder: Path) -> list[Path]:
    """Two pictures: differences seed by seed, and gain against cost with intervals."""
    from matplotlib.figure import Figure

    pairs = {arm: _paired(results, data, arm) for arm in ARMS}
    known = {arm: pair for arm, pair in pairs.items() if pair is not None}
    if not known:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"paired_{data}.png", folder / f"gain_and_cost_{data}.png"]

    figure = Figure(figsize=(7, 1 + 0.5 * len(known)), layout="constrained")
    axes = figure.subplots()
    for row, pair in enumerate(known.values()):
        axes.plot(pair.values, [row] * len(pair.values), "o", color="0.6", markersize=4)
        _interval(axes, pair, along="x", other=row)
    axes.axvline(0, color="k", linewidth=0.8)
    axes.set_yticks(range(len(known)), known)
    axes.invert_yaxis()
    axes.set_xlabel("AP less the baseline's, seed by seed; mean and 95 % interval")
    figure.savefig(files[0], dpi=120)

    costs = results["cost"].get(data, {})
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for arm, pair in known.items():
        baseline = costs.get(ARMS[arm].baseline)
        if arm not in costs or baseline is None:
            continue
        ratio = costs[arm]["step_s"] / baseline["step_s"]
        _interval(axes, pair, along="y", other=ratio)
        axes.annotate(arm, (ratio, pair.mean), xytext=(5, 3), textcoords="offset points")
    axes.axhline(0, color="k", linewidth=0.8)
    axes.set_xlabel("time of a training step, baseline = 1")
    axes.set_ylabel("AP less the baseline's")
    figure.savefig(files[1], dpi=120)
    return files


def _paired(results: dict, data: str, arm: str) -> Difference | None:
    baseline = ARMS[arm].baseline
    if not baseline:
        return None
    return difference(values(results, data, arm, "AP"), values(results, data, baseline, "AP"))


def _interval(axes, pair: Difference, *, along: str, other: float) -> None:
    error = None if pair.low is None else [[pair.mean - pair.low], [pair.high - pair.mean]]
    if along == "x":
        axes.errorbar([pair.mean], [other], xerr=error, fmt="s", color="C0", capsize=3)
    else:
        axes.errorbar([other], [pair.mean], yerr=error, fmt="s", color="C0", capsize=3)


def _mean(of_seeds: dict[int, float]) -> str:
    numbers = list(of_seeds.values())
    if not numbers:
        return "-"
    return f"{statistics.mean(numbers):.1f} ({max(numbers) - min(numbers):.1f})"


def _against(pair: Difference | None) -> list[str]:
    if pair is None:
        return ["", ""]
    if pair.low is None or pair.high is None:
        return [f"{pair.mean:+.1f}", "one pair"]
    mark = "**" if pair.clear else ""
    return [f"{mark}{pair.mean:+.1f}{mark}", f"{pair.low:+.1f} to {pair.high:+.1f}"]


def _costs(costs: dict, arm: str) -> list[str]:
    own = costs.get(arm)
    if own is None:
        return ["", "", "", ""]
    baseline = costs.get(ARMS[arm].baseline, own)
    ratios = [own[key] / baseline[key] for key in ("step_s", "inference_s")]
    return [f"{own['parameters'] / 1e6:.2f}", f"{own['gmacs']:.2f}", *(f"{r:.2f}" for r in ratios)]


def all_tables(results: dict) -> str:
    """Every data set's table and curves."""
    parts = []
    for data in DATA:
        parts += [f"## {data} ({DATA[data].measured[-1]})", table(results, data)]
        if lines := curves(results, data):
            parts.append(f"AP of the baselines along the schedule:\n\n{lines}")
    return "\n\n".join(parts)
