"""How far unmixing can go under noise: bounds of positions and CSO-mAP, as a table and a figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tabulate import tabulate

from d2freq.analysis.figures import new_figure, save_figure
from d2freq.analysis.methods import UNMIXING_LIMITS
from d2freq.analysis.result import About, Result
from d2freq.data.seqcsist.frames import WHITE
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import Trajectory, draw_trajectory
from d2freq.errors import UserError
from d2freq.evaluation.cso.limits import ALL_FRAMES, ORDERS, Knowledge, bound_scores, oracles
from d2freq.utils.numbers import in_range

__all__ = ["LimitsResult", "measure_limits"]

NOISIEST = 1e6  # grey levels
WINDOW = 5  # the metric's: frames without two neighbours on both sides are not measured
AXES = "one frame, the generator's axes known"


@dataclass(frozen=True)
class Settings:
    """What was assumed."""

    noise: list[float]
    frames: list[str]
    trajectories: int
    intensity: list[float]
    motion: str
    uint8: bool
    seed: int


@dataclass(frozen=True)
class LimitsResult(Result):
    """Bounds by noise, frames and number of targets.

    Attributes:
        bounds: dicts of "known", "targets" (0 for all numbers together), "noise", "sd" in pixels,
            "confidence" and "intensity" (CSO-mAP in percent by that order).
        grid: CSO-mAP in percent of a perfect grid and of its best order.
    """

    bounds: list[dict[str, Any]]
    grid: dict[str, float]

    def table(self) -> str:
        """CSO-mAP of all targets together, then errors by their number."""
        levels = self.settings.noise
        known = list(dict.fromkeys(row["known"] for row in self.bounds))
        numbers = sorted({row["targets"] for row in self.bounds})
        cells = {(row["known"], row["targets"], row["noise"]): row for row in self.bounds}
        head = ["CSO-mAP by confidence / by intensity", *(f"noise {level:g}" for level in levels)]
        rows = [
            [
                name,
                *(
                    "{confidence:.1f} / {intensity:.1f}".format(**cells[name, 0, level])
                    for level in levels
                ),
            ]
            for name in known
        ]
        rows += [[name, *[f"{value:.1f}"] * len(levels)] for name, value in self.grid.items()]
        errors = [
            [name, number, *(f"{cells[name, number, level]['sd']:.4f}" for level in levels)]
            for name in known
            for number in numbers[1:]
        ]
        other = ["error of an axis, px, median", "targets", *head[1:]]
        return "\n\n".join(
            tabulate(part, top, tablefmt="pipe", disable_numparse=True)
            for part, top in ((rows, head), (errors, other))
        )


def measure_limits(
    output: str,
    *,
    noise: Sequence[float] = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0),
    frames: Sequence[str] = ("1", "5", "all"),
    targets: Sequence[int] = (2, 4),
    trajectories: int = 100,
    intensity: Sequence[float] = (220.0, 250.0),
    unknown_intensity: bool = False,
    motion: str = "smooth",
    uint8: bool = False,
    seed: int = 0,
) -> LimitsResult:
    """Draw trajectories by the rules of SeqCSIST, and bound what can be known of them.

    Args:
        output: the PNG; a JSON file lies beside it.
        noise: standard deviations of a pixel in grey levels.
        frames: of a window, odd numbers; "all" is the whole trajectory.
        targets: fewest and most.
        trajectories: to draw.
        intensity: least and largest grey level of a target.
        unknown_intensity: the estimate does not know that range.
        motion: of the group, see ops.fisher.shared_design.
        uint8: frames are rounded and cut at 255.
        seed: of the trajectories and the errors.

    Raises:
        UserError: no noise or window, one that is no odd number, or a number out of its range.
    """
    in_range(trajectories, 1, 100_000, key="--trajectories", what="to draw")
    for name, values in (("noise", noise), ("frames", frames)):
        if not values:
            raise UserError(f"--{name} has no value: give at least one, or leave it out")
    for level in noise:
        in_range(level, 0, NOISIEST, key="--noise", what="grey levels of a pixel's noise")
    low, high = intensity
    if low == high and not unknown_intensity:
        raise UserError(
            f"--intensity {low:g} {high:g}: a range has two ends, such as {0.99 * low:g} "
            f"{1.01 * high:g}; or --unknown-intensity"
        )
    rules = Rules(targets=(targets[0], targets[1]), intensity=(low, high), seed=seed)
    drawn = [draw_trajectory(rules, "test", index) for index in range(trajectories)]
    groups = {0: drawn}
    for number in sorted({one.positions.shape[1] for one in drawn}):
        groups[number] = [one for one in drawn if one.positions.shape[1] == number]
    before: tuple[float, ...] = () if unknown_intensity else (low, high)
    knowledge = {_name(word): _window(word, motion, before) for word in frames}
    reach = rules.distance + (rules.frames - 1) * rules.drift
    knowledge[AXES] = Knowledge(distance=(rules.distance, reach), intensity=before)
    optics: dict[str, Any] = {"size": rules.size, "sigma": rules.sigma}
    if uint8:
        optics |= {"rounding": 1.0, "saturation": float(WHITE)}
    bounds = [
        {"known": name, "targets": number, "noise": float(level)}
        | _bound(own, float(level), known, optics, seed)
        for name, known in knowledge.items()
        for number, own in groups.items()
        for level in noise
    ]
    about = About(
        topic="unmixing-limits",
        how=UNMIXING_LIMITS,
        models=[],
        dataset=f"drawn by the rules of SeqCSIST, seed {seed}",
        images_in_dataset=trajectories * rules.frames,
        protocol="CSO-mAP",
        areas={},
    )
    words = [str(word) for word in frames]
    settings = Settings(
        [float(level) for level in noise],
        words,
        trajectories,
        list(before),
        motion,
        uint8,
        seed,
    )
    result = LimitsResult(about, settings, bounds, _grid(drawn))
    _draw(result, output)
    result.write(output)
    return result


def _name(word: str) -> str:
    names = {"1": "one frame", "all": "the whole trajectory"}
    return names.get(word, f"a window of {word} frames")


def _window(word: str, motion: str, before: tuple[float, ...]) -> Knowledge:
    most = Rules.frames
    odd = word.isascii() and word.isdecimal() and len(word) < 9 and int(word) % 2
    if word != "all" and not (odd and int(word) <= most):
        raise UserError(f"--frames {word}: an odd number of frames, 1 to {most}, or all")
    length = ALL_FRAMES if word == "all" else int(word)
    return Knowledge(frames=length, motion=motion, intensity=before)


def _bound(
    drawn: list[Trajectory], noise: float, known: Knowledge, optics: dict[str, Any], seed: int
) -> dict[str, float]:
    values = bound_scores(drawn, noise=noise, known=known, window=WINDOW, seed=seed, **optics)
    return {"sd": values["sd"]} | {key: 100 * values[key]["CSO-mAP"] for key in ORDERS}


def _grid(drawn: list[Trajectory]) -> dict[str, float]:
    middle = slice(WINDOW // 2, -(WINDOW // 2))
    found = oracles(
        [one.positions[middle] for one in drawn], [one.intensities[middle] for one in drawn]
    )
    return {name: 100 * found[name]["CSO-mAP"] for name in ("perfect grid", "grid ceiling")}


def _draw(result: LimitsResult, output: str) -> None:
    """CSO-mAP and error over the noise, a colour for each knowledge."""
    figure = new_figure(10, 4.6)
    score, error = figure.subplots(1, 2)
    known = list(dict.fromkeys(row["known"] for row in result.bounds))
    numbers = sorted({row["targets"] for row in result.bounds})[1:]
    dashes = ["-", "--", ":", "-."]
    for place, name in enumerate(known):
        own = [row for row in result.bounds if row["known"] == name]
        whole = [row for row in own if row["targets"] == 0]
        levels = [row["noise"] for row in whole]
        color = f"C{place}"
        score.plot(levels, [row["confidence"] for row in whole], color=color, label=name)
        score.plot(levels, [row["intensity"] for row in whole], ":", color=color)
        for number, dash in zip(numbers, np.resize(dashes, len(numbers)), strict=True):
            part = [row for row in own if row["targets"] == number and row["noise"] > 0]
            label = f"{number} targets" if place == 0 else None
            values = [row["sd"] for row in part]
            error.plot([row["noise"] for row in part], values, dash, color=color, label=label)
    for name, value in result.grid.items():
        score.axhline(value, color="0.5", linewidth=0.8)
        score.annotate(name, (score.get_xlim()[0], value), fontsize=7, color="0.4", va="bottom")
    score.set(xlabel="noise, grey levels", ylabel="CSO-mAP at the bound", ylim=(0, 102))
    score.set_title("solid: by confidence, dotted: by intensity", fontsize=9)
    score.legend(fontsize=7)
    error.set(xlabel="noise, grey levels", ylabel="error of an axis, pixels, median")
    error.set_yscale("log")
    error.set_title("colours as on the left", fontsize=9)
    error.legend(fontsize=7)
    save_figure(figure, output, how=result.about.how)
