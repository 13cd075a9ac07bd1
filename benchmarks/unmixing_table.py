"""DeRefNet's Table 7 on generated data: every method with the same steps, then the metric's limits.

    python benchmarks/unmixing_table.py
    python benchmarks/unmixing_table.py --steps 87500 --batch 4 --rate 1e-4 --drop 1 \
        --trajectories 3500 750

The first is reduced, for two CPU cores: 200 training trajectories, one a step, 800 steps at a rate
of 1e-3 that drops to a tenth behind three quarters of them; 50 trajectories are measured. The
second is the paper's schedule, for a GPU; --drop 1 never drops.

Runs that are there already are not repeated, so that the same command goes on. Another schedule has
other folders; other overrides need another --output.

Columns: CSO-mAP and APs of the grids as published; "decoded", the same metric of the positions
that the sub-pixel decoder finds, 100 from any grid on these clean frames; "decoded, noise", which
can tell methods apart: the same with noise of --noise grey levels on the frames; parameters;
MACs of 20 frames by `d2freq cost` (no losses, deformable kernels counted, Phi^T Phi kept; of ISTA
and FISTA what a frame of one target takes); centre frames a second without the decoder,
--fps-batch trajectories at a time; trajectories a second in training. Rows "limit:" are what a grid
can reach, and what the noise leaves of positions between the cells (d2freq analyze
unmixing-limits).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from common import ROOT, where

import d2freq  # noqa: F401  chooses the host

# isort: split
from detectron2.data import DatasetCatalog

from d2freq.analysis.cost.count import measure_cost
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.engine.build import config_model
from d2freq.evaluation.cso.limits import ALL_FRAMES, Knowledge, bound_scores, oracles

METHODS = {  # config, in the order of the table
    "Q_init": "least_squares",
    "ISTA": "ista",
    "FISTA": "fista",
    "LISTA": "lista",
    "SRCNN": "srcnn",
    "ESPCN": "espcn",
    "EDSR": "edsr",
    "TDAN": "tdan",
    "ISTA-Net": "ista_net",
    "FISTA-Net": "fista_net",
    "ISTA-Net+": "ista_net_plus",
    "DeRefNet": "derefnet",
    "Richardson-Lucy": "richardson_lucy",
    "LIHT": "liht",
    "LAMP": "lamp",
    "TiLISTA": "tilista",
    "ISTA-Net++": "ista_net_plus_plus",
    "USRNet": "usrnet",
    "RPCANet": "rpcanet",
    "DISTA-Net": "dista_net",
    "DBPN": "dbpn",
    "GMFN": "gmfn",
    "RDN": "rdn",
    "SRGAN": "srgan",
    "ESRGAN": "esrgan",
    "BSRGAN": "bsrgan",
}
# those of the configs; ten times as much undoes the start of matrices of 1,089 x 1,089, and of
# DBPN, 39 kernels of 7 x 7 one behind the other: a step at 1e-3 takes its loss from 1e3 to 3e7
HIGHEST_RATE = {"LISTA": 1e-5, "LIHT": 1e-5, "LAMP": 1e-4, "TiLISTA": 1e-4, "DBPN": 1e-4}
TRAINING_FREE = ("Q_init", "ISTA", "FISTA", "Richardson-Lucy")
APS = ("CSO-mAP", "AP05", "AP10", "AP15", "AP20", "AP25")
COSTS = ("parameters", "MACs, G", "frames/s", "trained/s")
HEAD = ("method", *APS, "decoded", "decoded, noise", *COSTS)


def main() -> None:
    """Measure what is missing, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=1, help="trajectories a step")
    parser.add_argument(
        "--rate", type=float, default=1e-3, help="of Adam; LISTA has no more than its config's"
    )
    parser.add_argument(
        "--drop", type=float, default=0.75, help="share of the steps after which the rate drops"
    )
    parser.add_argument(
        "--trajectories",
        type=int,
        nargs=2,
        default=[200, 50],
        metavar=("TRAIN", "TEST"),
        help="to generate; the same numbers give the same bytes",
    )
    parser.add_argument("--seed", type=int, default=1, help="of weights and order")
    parser.add_argument("--noise", type=float, default=3.0, help="grey levels, of one column")
    parser.add_argument("--fps-batch", type=int, default=1)
    parser.add_argument("--output", type=Path, default=ROOT / "output" / "unmixing_table")
    parser.add_argument("overrides", nargs="*", help="KEY VALUE, for every run")
    args = parser.parse_intermixed_args()
    root = args.output / "data_{}_{}".format(*args.trajectories)
    os.environ["DETECTRON2_DATASETS"] = str(root)
    _generate(root, *args.trajectories)
    rows = [_row(name, args) for name in args.methods]
    blank = [""] * (len(HEAD) - 1 - len(APS))
    rows += [[f"limit: {name}", *values, *blank] for name, values in _limits()]
    for name, value in _bounds(args.noise):
        rows.append([f"limit: {name}", *[""] * (len(APS) + 1), value, *[""] * len(COSTS)])
    table = "\n".join([where(), "", _schedule(args), "", *_markdown(rows)])
    file = args.output / "table.md"
    file.write_text(table + "\n", encoding="utf-8")
    print(f"\n{table}\n\nwritten to {file}")


def _generate(root: Path, train: int, test: int) -> None:
    if not (root / "seqcsist" / "test.npz").is_file():
        counts = ["--train", str(train), "--val", "1", "--test", str(test)]
        folder = str(root / "seqcsist")
        _call(["-m", "d2freq.cli", "generate", "seqcsist", "--output", folder, *counts])


def _row(name: str, args: argparse.Namespace) -> list[Any]:
    """A method's line of the table, from its folder or measured now."""
    trains = name not in TRAINING_FREE
    rate = min(args.rate, HIGHEST_RATE.get(name, args.rate))
    parts = [METHODS[name], *map(str, args.trajectories)]
    if trains:
        parts += [f"{args.steps}x{args.batch}", f"{rate:g}", f"{args.drop:g}", str(args.seed)]
    folder = args.output / "_".join(parts)
    timing, noisy = folder / "timing.json", folder / f"noise_{args.noise:g}"
    if not (timing.is_file() and _results(noisy).is_file()):
        print(f"{name}: {folder}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        config = str(ROOT / "configs" / "derefnet" / f"{METHODS[name]}_seqcsist.yaml")
        options = ["OUTPUT_DIR", str(folder), "MODEL.UNMIXING.DECODE", "True", *args.overrides]
        command = [str(ROOT / "train_net.py"), "--config-file", config]
        if trains:
            turn = int(args.drop * args.steps)
            steps = f"({turn},)" if turn < args.steps else "()"
            schedule = ["SOLVER.MAX_ITER", str(args.steps), "SOLVER.STEPS", steps]
            schedule += ["SOLVER.IMS_PER_BATCH", str(args.batch), "SOLVER.BASE_LR", str(rate)]
            schedule += ["SEED", str(args.seed), "TEST.EVAL_PERIOD", "0"]
            _call([*command, "--resume", *options, *schedule], folder / "training.txt")
            options += ["MODEL.WEIGHTS", str(folder / "model_final.pth")]
        _call([*command, "--eval-only", *options], folder / "evaluation.txt")
        options += ["OUTPUT_DIR", str(noisy), "INPUT.UNMIXING.NOISE", str(args.noise)]
        _call([*command, "--eval-only", *options], folder / "evaluation_noise.txt")
        record = _cost(config, folder if trains else None, args)
        timing.write_text(json.dumps(record), encoding="utf-8")
    found, other = (
        json.loads(_results(place).read_text(encoding="utf-8")) for place in (folder, noisy)
    )
    cost = json.loads(timing.read_text(encoding="utf-8"))
    return [
        name,
        *(found["cso"][key] for key in APS),
        found["cso_subpixel"]["CSO-mAP"],
        other["cso_subpixel"]["CSO-mAP"],
        f"{cost['parameters']:,}",
        f"{cost['macs'] / 1e9:.3f}",
        f"{cost['fps']:.0f}",
        f"{args.batch / _seconds_a_step(folder):.2f}" if trains else "",
    ]


def _results(folder: Path) -> Path:
    return folder / "inference" / "cso_results.json"


def _cost(config: str, folder: Path | None, args: argparse.Namespace) -> dict[str, float]:
    """Parameters, MACs of 20 frames, and centre frames a second on frames of the test set."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    weights = str(folder / "model_final.pth") if folder else None
    model: Any = config_model(config, args.overrides, weights=weights, device=device)
    parameters, macs = measure_cost(model).total
    chosen = DatasetCatalog.get("seqcsist_test")[: args.fps_batch]
    batch = [{"frames": torch.as_tensor(r["frames"])[:, None].to(device)} for r in chosen]
    seconds = []
    with torch.no_grad():
        for _ in range(12):
            begin = time.perf_counter()
            frames = sum(len(output["frames"]) for output in model(batch))
            if device == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begin)
            if sum(seconds) > 30:  # ISTA's iterations
                break
    fps = frames / statistics.median(seconds)
    return {"parameters": parameters, "macs": macs, "fps": fps}


def _seconds_a_step(folder: Path) -> float:
    lines = map(json.loads, (folder / "metrics.json").read_text(encoding="utf-8").splitlines())
    return statistics.median(line["time"] for line in lines if "time" in line)


def _limits() -> list[tuple[str, list[float]]]:
    """What a perfect grid, the best order of a grid's cells and exact positions score."""
    records = DatasetCatalog.get("seqcsist_test")
    middle = slice(2, -2)  # frames that have a window of five
    found = oracles(
        [record["positions"][middle] for record in records],
        [record["intensities"][middle] for record in records],
    )
    return [(name, [100 * values[key] for key in APS]) for name, values in found.items()]


def _bounds(noise: float) -> Iterator[tuple[str, float]]:
    """CSO-mAP at the bound of Cramer and Rao under noise, detections by their confidence.

    The last is a control: the axes of the generator are a rule of the data and no physics.
    """
    count = len(DatasetCatalog.get("seqcsist_test"))
    drawn = [draw_trajectory(Rules(), "test", index) for index in range(count)]
    reach = Rules.distance + (Rules.frames - 1) * Rules.drift
    for name, known in {
        "one frame in noise": Knowledge(),
        "a window of 5 frames in noise": Knowledge(frames=5),
        "whole trajectory in noise": Knowledge(frames=ALL_FRAMES),
        "control: one frame in noise, the generator's axes known": Knowledge(
            distance=(Rules.distance, reach)
        ),
    }.items():
        found = bound_scores(drawn, noise=noise, known=known, draws=3)
        yield name, 100 * found["confidence"]["CSO-mAP"]


def _schedule(args: argparse.Namespace) -> str:
    train, test = args.trajectories
    return (
        f"{args.steps} steps of {args.batch} of {train} trajectories, Adam at {args.rate:g}, a "
        f"tenth of it after {args.drop:.0%} of the steps; {test} trajectories measured; "
        f"seed {args.seed}"
    )


def _markdown(rows: list[list[Any]]) -> list[str]:
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for row in rows:
        cells = (f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _call(words: list[str], log: Path | None = None) -> None:
    """Run Python; what it prints goes to the log, whose end is shown if it fails."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE if log else None,
        stderr=subprocess.STDOUT if log else None,
        text=True,
        check=False,
    )
    if log:
        log.write_text(done.stdout, encoding="utf-8")
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed\n{done.stdout[-2000:] if log else ''}")


if __name__ == "__main__":
    main()
