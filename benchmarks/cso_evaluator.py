"""CSO-mAP of a whole test set: seconds, the metric's limits, and the decoder's frames a second.

python benchmarks/cso_evaluator.py [--trajectories 750] [--decode 100] [--noise 0 2 5]

Trajectories are drawn by the rules of SeqCSIST, 16 frames of each are measured; 750 make the 12,000
frames of the test split. Timed are four kinds of grids: perfect ones, the linear start that is
smeared over many cells, noise of which every third cell is a detection, and empty ones. The second
table has the limits (d2freq.evaluation.cso.limits); the third decodes perfect and smeared grids of
the first --decode trajectories, with noise of each sigma in grey levels on the frames.
"""

import argparse
import time

import numpy as np
import torch
from common import where
from tabulate import tabulate

from d2freq.data.seqcsist.frames import observe
from d2freq.data.seqcsist.grid import grid_targets
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.evaluation.cso.limits import oracles
from d2freq.evaluation.cso.metric import cso_map, grid_detections
from d2freq.modeling.unmixing.decoding.decode import decode
from d2freq.ops.psf import sampling_matrix

KEYS = ("CSO-mAP", "AP05", "AP10", "AP15", "AP20", "AP25")
MIDDLE = slice(2, 18)  # frames that have a window of five
RIDGE = 1e-2  # of the smeared grids, against a largest eigenvalue of 8.6


def percent(values: dict[str, float]) -> list[float]:
    """The columns of a row."""
    return [100 * values[key] for key in KEYS]


def smeared(frames: torch.Tensor) -> torch.Tensor:
    """Regularised inverse of the optics: (F, 11, 11) -> (F, 33, 33) float32."""
    phi = sampling_matrix()
    inverse = phi.T @ torch.linalg.inv(phi @ phi.T + RIDGE * torch.eye(len(phi), dtype=phi.dtype))
    return (frames.double().flatten(1) @ inverse.T).unflatten(1, (33, 33)).float()


def table(rows: list[list], head: list[str]) -> None:
    """Print as markdown."""
    print("\n" + tabulate(rows, head, tablefmt="pipe", floatfmt=".2f"), flush=True)


def time_counting(grids: dict[str, torch.Tensor], truth: list[np.ndarray]) -> None:
    """Seconds from grids to APs."""
    rows = []
    for name, stack in grids.items():
        start = time.perf_counter()
        detections = [grid_detections(grid) for grid in stack.numpy()]
        found = time.perf_counter()
        values = cso_map(detections, truth)
        end = time.perf_counter()
        number = sum(map(len, detections))
        rows.append([name, number, found - start, end - found, end - start, *percent(values)])
    head = ["grids", "detections", "cells, s", "count, s", "both, s", *KEYS]
    table(rows, head)


def time_decoding(
    grids: dict[str, torch.Tensor], frames: torch.Tensor, truth: list[np.ndarray], noise
) -> None:
    """Frames a second and the sub-pixel metric."""
    rows = []
    for sigma in noise:
        random = torch.Generator().manual_seed(0)
        seen = frames + sigma * torch.randn(frames.shape, generator=random)
        for name, stack in (grids | {"smeared": smeared(seen)}).items():
            start = time.perf_counter()
            points = decode(stack, seen)
            seconds = time.perf_counter() - start
            right = [len(p) == len(t) for p, t in zip(points, truth, strict=True)]
            values = cso_map([p.numpy() for p in points], truth)
            share = 100 * np.mean(right)
            rows.append([name, sigma, len(frames) / seconds, share, *percent(values)])
    table(rows, ["grids", "noise", "frames/s", "right number, %", *KEYS])


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trajectories", type=int, default=750, help="16 frames each")
    parser.add_argument("--decode", type=int, default=100, help="trajectories to decode")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 2.0, 5.0])
    arguments = parser.parse_args()
    print(where())
    drawn = [draw_trajectory(Rules(), "test", index) for index in range(arguments.trajectories)]
    positions = [each.positions[MIDDLE] for each in drawn]
    intensities = [each.intensities[MIDDLE] for each in drawn]
    truth = [frame for trajectory in positions for frame in trajectory]
    pairs = list(zip(positions, intensities, strict=True))
    frames = torch.from_numpy(np.concatenate([observe(p, a) for p, a in pairs]))
    perfect = torch.cat([grid_targets(*map(torch.from_numpy, pair)) for pair in pairs]).float()
    random = torch.Generator().manual_seed(0)
    noisy = 105 * torch.rand(perfect.shape, generator=random)  # a third reaches 70
    grids = {"perfect": perfect, "smeared": smeared(frames), "noise": noisy}
    print(f"\n{len(truth)} frames, {sum(map(len, truth))} targets")
    time_counting(grids | {"empty": torch.zeros_like(perfect)}, truth)
    limits = oracles(positions, intensities)
    table([[name, *percent(values)] for name, values in limits.items()], ["limit", *KEYS])
    some = 16 * min(arguments.decode, arguments.trajectories)
    if some:
        part = {"perfect": perfect[:some]}
        time_decoding(part, frames[:some], truth[:some], arguments.noise)


if __name__ == "__main__":
    main()
