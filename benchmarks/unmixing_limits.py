"""The decoder of several frames beside the bound: by noise, frames and what breaks it.

    python benchmarks/unmixing_limits.py measure
    python benchmarks/unmixing_limits.py table

Trajectories are drawn by the rules of SeqCSIST (50 of the split "test", 20 frames), noise in three
draws; Q_init, from 1,000 others and with a ridge of 0.0001, gives the grids that the decoder starts
from. Every cell is a line of benchmarks/unmixing_limits_results.json, and one that is there is not
measured again. The table and docs/figures/unmixing_limits.svg are made from that file.

Figures of a cell: CSO-mAP by confidence and by intensity; the share of frames with the right number
of targets, and in these the share of errors of an axis within one stated standard deviation (68 %
of a normal distribution) and the median over frames of the root mean square error of an axis in
pixels; seconds a trajectory with one thread. "5 frames" are centred windows, two frames late; "all
frames" is offline and no fair row beside networks that see five.
"""

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from common import ROOT, where
from scipy.optimize import linear_sum_assignment

import d2freq  # noqa: F401  chooses the host
from d2freq.data.seqcsist.backgrounds import backgrounds
from d2freq.data.seqcsist.frames import add_noise, observe, quantize
from d2freq.data.seqcsist.q_init_fit import least_squares
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import Trajectory, draw_trajectory
from d2freq.evaluation.cso.limits import ALL_FRAMES, Knowledge, bound_scores, oracles
from d2freq.evaluation.cso.metric import cso_map
from d2freq.modeling.unmixing.decoding.decode import decode_targets
from d2freq.modeling.unmixing.decoding.joint.decode import decode_windows
from d2freq.modeling.unmixing.decoding.targets import SCORES, Targets

RESULTS = ROOT / "benchmarks" / "unmixing_limits_results.json"
MIDDLE = slice(2, 18)  # frames that have a window of five
LEVELS = (0.0, 2.0, 3.0, 5.0)
FRAMES = {"1 frame": 1, "5 frames": 5, "all frames": ALL_FRAMES}
MAIN = "as generated"
# what breaks it, at a noise of 3: rules of the scene, then what the decoder is told
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    MAIN: ({}, {}),
    "2 to 8 targets": ({"targets": (2, 8)}, {}),
    "uint8": ({"uint8": True}, {}),
    "flicker, known": ({"flicker": True}, {"flicker": True}),
    "flicker, not known": ({"flicker": True}, {}),
    "sigma 10 % too large": ({}, {"sigma": 0.55}),
    "sigma 10 % too small": ({}, {"sigma": 0.45}),
    "clutter": ({"background": True}, {}),
    "intensities unknown": ({}, {"brightness": ()}),
}


class Scene:
    """Trajectories of one kind, and frames of them with noise."""

    def __init__(
        self, count: int, *, uint8: bool = False, background: bool = False, **rules: Any
    ) -> None:
        self.rules, self.uint8 = Rules(**rules), uint8
        self.drawn = [draw_trajectory(self.rules, "test", index) for index in range(count)]
        shape = {"seed": 0, "frames": self.rules.frames, "size": self.rules.size}
        behind = backgrounds("clutter", "test", **shape) if background else None
        self.clean = torch.stack(
            [
                torch.from_numpy(
                    observe(
                        one.positions,
                        one.intensities,
                        background=behind(index) if behind else None,
                    )
                )
                for index, one in enumerate(self.drawn)
            ]
        )
        self.truth = [frame for one in self.drawn for frame in one.positions[MIDDLE]]

    def frames(self, noise: float, draw: int) -> torch.Tensor:
        """(B, T, m, m) float32, of 8 bits where the scene is."""
        seen = add_noise(self.clean, noise, torch.Generator().manual_seed(1000 + draw))
        return torch.from_numpy(quantize(seen.numpy())).float() if self.uint8 else seen


def q_init(count: int) -> torch.Tensor:
    """(g*g, m*m) from trajectories of the split "train", with a ridge."""
    drawn = [draw_trajectory(Rules(), "train", index) for index in range(count)]
    truth = [(torch.from_numpy(d.positions), torch.from_numpy(d.intensities)) for d in drawn]
    return least_squares(truth, ridge=1e-4)


def decoded(
    grids: torch.Tensor, frames: torch.Tensor, count: int, told: dict[str, Any]
) -> list[Targets]:
    """Targets of the frames in the middle, trajectory after trajectory."""
    found: list[Targets] = []
    if count == 1:
        told = {key: value for key, value in told.items() if key != "flicker"}
        for grid, own in zip(grids, frames, strict=True):
            found += decode_targets(grid[MIDDLE], own[MIDDLE], **told)
        return found
    window = None if count == ALL_FRAMES else count
    for place in range(0, len(frames), 10):
        own = slice(place, place + 10)
        for targets in decode_windows(grids[own], frames[own], window=window, **told):
            found += targets[MIDDLE]
    return found


def judged(found: Sequence[Targets], truth: Sequence[np.ndarray]) -> dict[str, Any]:
    """Figures of a cell, without the time."""
    values: dict[str, Any] = {}
    for kind in SCORES:
        rows = [
            np.column_stack([own.points[:, :2].numpy(), own.scores(kind).numpy()]) for own in found
        ]
        values[kind] = 100 * cso_map(rows, truth)["CSO-mAP"]
    right, inside, errors = [], [], []
    for own, places in zip(found, truth, strict=True):
        right.append(len(own.points) == len(places))
        if right[-1]:
            at = own.points[:, :2].double().numpy()
            mine, other = linear_sum_assignment(np.linalg.norm(at[:, None] - places, axis=2))
            error = at[mine] - places[other]
            spread = own.covariances.double().numpy()[mine].diagonal(axis1=1, axis2=2)
            inside.append((np.abs(error) < np.sqrt(spread)).mean())
            errors.append(np.sqrt((error**2).mean()))
    values["right"] = 100 * float(np.mean(right))
    values["within"] = 100 * float(np.mean(inside)) if inside else float("nan")
    values["error"] = float(np.median(errors)) if errors else float("nan")
    return values


def cells(draws: int) -> list[tuple[str, str, float, int]]:
    """Case, frames, noise and draw of every cell, the most important first."""
    found = [(MAIN, name, 3.0, draw) for draw in range(draws) for name in FRAMES]
    found += [(MAIN, name, level, 0) for level in (0.0, 2.0, 5.0) for name in FRAMES]
    others = list(CASES)[1:]
    for draw in range(draws):
        found += [(case, name, 3.0, draw) for case in others for name in list(FRAMES)[1:]]
        found += [(MAIN, name, level, draw) for level in (2.0, 5.0) for name in FRAMES]
    found += [(case, "1 frame", 3.0, draw) for draw in range(draws) for case in others]
    return list(dict.fromkeys(found))


def measure(args: argparse.Namespace) -> None:
    """Fill the file, cell by cell."""
    torch.set_num_threads(1)
    matrix = q_init(1000).float()
    scenes: dict[str, Scene] = {}
    for case, name, noise, draw in cells(args.draws):
        content = read()
        key = f"{case} | {name} | {noise:g} | {draw}"
        if key in content["cells"] or (args.cases and case not in args.cases):
            continue
        rules, told = CASES[case]
        if case not in scenes:
            scenes[case] = Scene(args.trajectories, **rules)
        scene = scenes[case]
        frames = scene.frames(noise, draw)
        grids = (frames.flatten(2) @ matrix.T).unflatten(2, (33, 33))
        begin = time.process_time()
        found = decoded(grids, frames, FRAMES[name], told)
        seconds = (time.process_time() - begin) / len(frames)
        content["where"] = where()
        content["cells"][key] = judged(found, scene.truth) | {"seconds": seconds}
        write(content)
        print(key, json.dumps(content["cells"][key]), flush=True)


def read() -> dict[str, Any]:
    """What was measured so far."""
    if not RESULTS.is_file():
        return {"where": "", "cells": {}}
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def write(content: dict[str, Any]) -> None:
    """Keep it, whole."""
    part = RESULTS.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(RESULTS)


def bounds(drawn: Sequence[Trajectory]) -> dict[str, dict[float, dict[str, float]]]:
    """Bound by frames and noise: CSO-mAP by both orders, and the error of its draws."""
    reach = Rules.distance + (Rules.frames - 1) * Rules.drift
    known = {name: Knowledge(frames=count) for name, count in FRAMES.items()}
    known["control: 1 frame, axes known"] = Knowledge(distance=(Rules.distance, reach))
    found: dict[str, dict[float, dict[str, float]]] = {}
    for name, own in known.items():
        found[name] = {}
        for noise in LEVELS:
            values = bound_scores(drawn, noise=noise, known=own, draws=3)
            scores = {kind: 100 * values[kind]["CSO-mAP"] for kind in SCORES}
            found[name][noise] = scores | {"error": values["error"]}
    return found


def summary(case: str, name: str, noise: float) -> dict[str, tuple[float, float]] | None:
    """Mean and spread (largest less smallest) of the draws of a cell; None where there is none.

    The spread of a single draw is NaN.
    """
    start = f"{case} | {name} | {noise:g} | "
    own = [values for key, values in read()["cells"].items() if key.startswith(start)]
    if not own:
        return None
    columns = {key: [values[key] for values in own] for key in own[0]}
    return {
        key: (float(np.mean(v)), max(v) - min(v) if len(v) > 1 else float("nan"))
        for key, v in columns.items()
    }


def table(args: argparse.Namespace) -> None:
    """Print the tables of RESULTS.md and keep what the figure is drawn from."""
    drawn = [draw_trajectory(Rules(), "test", index) for index in range(args.trajectories)]
    limits = bounds(drawn)
    lines = [read()["where"], ""]
    head = [f"noise {noise:g}" for noise in LEVELS]
    lines += [f"| CSO-mAP by confidence / by intensity | {' | '.join(head)} |"]
    lines += ["|---" * (1 + len(head)) + "|"]
    for name in FRAMES:
        own = [summary(MAIN, name, noise) for noise in LEVELS]
        lines.append(_line(f"decoder, {name}", [_score(values) for values in own]))
        lines.append(_line(f"bound, {name}", [_pair(limits[name][n]) for n in LEVELS]))
    control = "control: 1 frame, axes known"
    lines.append(_line(f"bound, {control}", [_pair(limits[control][n]) for n in LEVELS]))
    middles = [one.positions[MIDDLE] for one in drawn], [one.intensities[MIDDLE] for one in drawn]
    grid = {name: 100 * values["CSO-mAP"] for name, values in oracles(*middles).items()}
    for name, value in grid.items():
        lines.append(_line(name, [f"{value:.1f}"] * len(LEVELS)))
    lines += ["", "| frames | noise | K right, % | within 1 sd, % | error, px | bound, px | s |"]
    lines += ["|---" * 7 + "|"]
    for name in FRAMES:
        for noise in LEVELS:
            values = summary(MAIN, name, noise)
            if values:
                lines.append(
                    f"| {name} | {noise:g} | {values['right'][0]:.1f} | {values['within'][0]:.1f} "
                    f"| {values['error'][0]:.4f} | {limits[name][noise]['error']:.4f} "
                    f"| {values['seconds'][0]:.2f} |"
                )
    lines += ["", f"| noise 3 | {' | '.join(FRAMES)} | K right, % | within 1 sd, % |"]
    lines += ["|---" * 6 + "|"]
    for case in CASES:
        own = [summary(case, name, 3.0) for name in FRAMES]
        right = " / ".join(f"{v['right'][0]:.0f}" if v else "-" for v in own)
        within = " / ".join(f"{v['within'][0]:.0f}" if v else "-" for v in own)
        lines.append(_line(case, [*(_score(values) for values in own), right, within]))
    print("\n".join(lines))
    content = read()
    content["bounds"] = {
        name: {f"{n:g}": values for n, values in own.items()} for name, own in limits.items()
    }
    content["grid"] = grid
    write(content)


def _line(name: str, parts: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(parts)} |"


def _pair(values: dict[str, float]) -> str:
    return f"{values['confidence']:.1f} / {values['intensity']:.1f}"


def _score(values: dict[str, tuple[float, float]] | None) -> str:
    """By confidence, with its spread where there are several draws, and by intensity."""
    if values is None:
        return "-"
    mean, spread = values["confidence"]
    about = "" if np.isnan(spread) else f" (±{spread / 2:.1f})"
    return f"{mean:.1f}{about} / {values['intensity'][0]:.1f}"


def main() -> None:
    """Measure, or print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("measure", "table"))
    parser.add_argument("--trajectories", type=int, default=50)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), help="these alone")
    args = parser.parse_args()
    {"measure": measure, "table": table}[args.what](args)


if __name__ == "__main__":
    main()
