"""The methods of DeRefNet's Table 7 in noise: grids, and what decoders of 1, 5, all frames find.

    python benchmarks/unmixing_noise.py measure --steps 300 --seconds 300
    python benchmarks/unmixing_noise.py table
    python benchmarks/unmixing_noise.py measure --model small RUN --methods small

A method trains on one window of five frames of four trajectories a step, of 1,000 that are
generated, each with its own noise of 0 to 5 grey levels: a trajectory's other windows are nearly
the same picture, so that more steps learn more from as much work. It has as many steps as --seconds
of CPU time give, at most --steps: Adam at 0.001 (less where unmixing_table.py says so), a tenth of
it behind three quarters of them. That is no schedule under which methods could be ranked; the steps
stand in each row.

Measured are trajectories of the split "test" with the noise of unmixing_limits.py, whose bound is
that of the same frames. "perfect grid" and "no grid" are what the decoder makes of the truth's own
cells and of nothing at all: what a method's grid adds lies between them.

Figures go to benchmarks/unmixing_table_results.json, cell by cell; weights to --output. A cell that
is there for as many trajectories is not measured again, and a method that has weights not trained
again, so that the same command goes on. --force trains and measures anew. --model adds a row for a
training that is done: RUN is its folder, with config.yaml and model_final.pth.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from common import ROOT, where
from torch import Tensor
from unmixing_limits import FRAMES, LEVELS, MIDDLE, Scene, bounds, judged
from unmixing_table import HIGHEST_RATE, TRAINING_FREE
from unmixing_table import METHODS as TABLE_7

import d2freq  # noqa: F401  chooses the host

# isort: split
from detectron2.data import DatasetCatalog

from d2freq.data.seqcsist import SequenceMapper, generate_seqcsist
from d2freq.data.seqcsist.grid import grid_targets
from d2freq.data.seqcsist.q_init_file import file_name
from d2freq.engine.build import config_model
from d2freq.evaluation.cso.limits import ALL_FRAMES
from d2freq.evaluation.cso.metric import cso_map, grid_detections
from d2freq.modeling.unmixing.decoding.decode import decode_targets
from d2freq.modeling.unmixing.decoding.joint.decode import decode_windows
from d2freq.modeling.unmixing.decoding.targets import Targets

RESULTS = ROOT / "benchmarks" / "unmixing_table_results.json"
METHODS = TABLE_7 | {  # and the baselines of Tables 2 and 3
    "DeRefNet-residual": "derefnet_residual",
    "DeRefNet-flow": "derefnet_flow",
}
CONTROLS = ("perfect grid", "no grid")
COLUMNS = ("grid", *FRAMES)
RIDGE = 1e-4
NOISE = (0.0, 5.0)  # of training
BATCH, WINDOW = 4, 5  # windows a step, frames of each
# what short trainings need, as in the reduced Table 7
ALIGNED = ["MODEL.DEREFNET.ALIGN_WEIGHT", "0.001"]
OVERRIDES = {
    "DeRefNet": [*ALIGNED, "MODEL.DEREFNET.INIT", "ista"],
    "DeRefNet-residual": ALIGNED,
    "DeRefNet-flow": [*ALIGNED, "MODEL.DEREFNET.INIT", "ista"],
    "TiLISTA": ["MODEL.TILISTA.MATRIX", "tied"],
}


def measure(args: argparse.Namespace) -> None:
    """Fill the file, method by method."""
    torch.set_num_threads(1)
    args.variables = dict(os.environ)
    os.environ["DETECTRON2_DATASETS"] = str(args.output / "data")
    folder = args.output / "data" / "seqcsist"
    if not (folder / "train.npz").is_file():
        generate_seqcsist(folder, train=1000, val=1, test=1)
    scene = Scene(args.trajectories)
    for name in args.methods:
        wanted = list(missing(read()["cells"], name, args))
        model = prepared(name, args) if wanted and name not in CONTROLS else None
        for noise in dict.fromkeys(noise for noise, _ in wanted):
            frames = scene.frames(noise, 0)
            grids = grids_of(name, model, scene, frames)
            for column in (column for level, column in wanted if level == noise):
                values = cell(column, grids, frames, scene) | {"trajectories": len(frames)}
                keep("cells", key(name, column, noise), values)
                print(key(name, column, noise), json.dumps(values), flush=True)


def missing(
    cells: dict[str, Any], name: str, args: argparse.Namespace
) -> Iterator[tuple[float, str]]:
    """Noise and column of the cells of a method that are not there for as many trajectories."""
    for noise in args.levels:
        for column in args.columns:
            found = cells.get(key(name, column, noise), {"trajectories": 0})
            if args.force or found["trajectories"] < args.trajectories:
                yield noise, column


def key(name: str, column: str, noise: float) -> str:
    """Of a cell."""
    return f"{name} | {column} | {noise:g}"


def prepared(name: str, args: argparse.Namespace) -> Any:
    """A method's model: with the weights that are there, or trained now."""
    if name in args.runs:
        run = args.runs[name]
        weights = run / "model_final.pth"
        words = ["MODEL.DEVICE", "cpu"]
        with patch.dict(os.environ, args.variables):  # its own data sets: Q_init is fitted to them
            model: Any = config_model(str(run / "config.yaml"), words, weights=str(weights))
        steps = torch.load(weights, weights_only=True).get("iteration", -1) + 1
        parameters = sum(own.numel() for own in model.parameters())
        keep("methods", name, {"parameters": parameters, "steps": steps or ""})
        return model
    config = str(ROOT / "configs" / "derefnet" / f"{METHODS[name]}_seqcsist.yaml")
    q_init = args.output / "data" / "seqcsist" / file_name(3, RIDGE)
    words = ["MODEL.UNMIXING.Q_INIT_RIDGE", str(RIDGE), *OVERRIDES.get(name, [])]
    if q_init.is_file():
        words += ["MODEL.UNMIXING.Q_INIT", str(q_init)]
    torch.manual_seed(1)
    model = config_model(config, words)
    if name in TRAINING_FREE:
        keep("methods", name, {"parameters": 0, "steps": 0})
        return model
    weights = args.output / f"{METHODS[name]}.pth"
    if weights.is_file() and not args.force:
        model.load_state_dict(torch.load(weights, weights_only=True))
        return model
    record = train(model, rate=min(1e-3, HIGHEST_RATE.get(name, 1)), args=args)
    print(name, json.dumps(record), flush=True)
    torch.save(model.state_dict(), weights)
    keep("methods", name, record)
    return model.eval()


def train(model: Any, *, rate: float, args: argparse.Namespace) -> dict[str, Any]:
    """Train in place; steps, their time, and the mean loss of the first and last tenth."""
    windows = drawn_windows()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, weight_decay=1e-5)
    losses: list[float] = []
    seconds: list[float] = []
    model.train()
    planned = args.steps
    while len(losses) < planned:
        begin = time.process_time()
        loss = sum(model([next(windows) for _ in range(BATCH)]).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        seconds.append(time.process_time() - begin)
        if len(losses) == 3:  # the first is slower
            planned = max(3, min(args.steps, int(args.seconds / min(seconds))))
        if len(losses) >= 0.75 * planned:
            optimizer.param_groups[0]["lr"] = rate / 10
    tenth = max(1, planned // 10)
    return {
        "parameters": sum(own.numel() for own in model.parameters()),
        "steps": planned,
        "rate": rate,
        "seconds a step": round(statistics.median(seconds), 3),
        "loss": [statistics.mean(losses[:tenth]), statistics.mean(losses[-tenth:])],
    }


def drawn_windows() -> Iterator[dict[str, Any]]:
    """A window at a random place of each trajectory in turn, in another order each time."""
    records = DatasetCatalog.get("seqcsist_train")
    mapper = SequenceMapper(True, noise_range=NOISE)
    while True:
        for index in torch.randperm(len(records)).tolist():
            one = mapper(records[index])
            first = int(torch.randint(len(one["frames"]) - WINDOW + 1, (1,)))
            seen = slice(first, first + WINDOW)
            yield one | {"frames": one["frames"][seen], "target": one["target"][seen]}


@torch.no_grad()
def grids_of(name: str, model: Any, scene: Scene, frames: Tensor) -> Tensor:
    """(B, 16, g, g) grids of the frames in the middle."""
    if name == "no grid":
        return torch.zeros(len(frames), MIDDLE.stop - MIDDLE.start, 33, 33)
    if name == "perfect grid":
        truth = [(one.positions[MIDDLE], one.intensities[MIDDLE]) for one in scene.drawn]
        grids = [grid_targets(torch.from_numpy(p), torch.from_numpy(i)) for p, i in truth]
        return torch.stack(grids).float()
    grids = [model([{"frames": own[:, None]}])[0]["grid"] for own in frames]
    return torch.stack(grids)


def cell(column: str, grids: Tensor, frames: Tensor, scene: Scene) -> dict[str, float]:
    """CSO-mAP of the grids, or of the positions by confidence and by intensity."""
    if column == "grid":
        found = [grid_detections(grid) for grid in grids.flatten(0, 1).numpy()]
        values = cso_map(found, scene.truth)
        return {name: round(100 * value, 2) for name, value in values.items()}
    values = judged(positions(column, grids, frames), scene.truth)
    return {name: round(values[name], 2) for name in ("confidence", "intensity", "right")}


def positions(column: str, grids: Tensor, frames: Tensor) -> list[Targets]:
    """Decoded targets of the frames in the middle, trajectory after trajectory."""
    count = FRAMES[column]
    if count == 1:
        return decode_targets(grids.flatten(0, 1), frames[:, MIDDLE].flatten(0, 1))
    padded = torch.nn.functional.pad(grids, (0, 0, 0, 0, 2, 2))
    window = None if count == ALL_FRAMES else count
    found: list[Targets] = []
    for place in range(0, len(frames), 10):
        own = slice(place, place + 10)
        for targets in decode_windows(padded[own], frames[own], window=window):
            found += targets[MIDDLE]
    return found


def read() -> dict[str, Any]:
    """What was measured so far."""
    if not RESULTS.is_file():
        return {"where": "", "methods": {}, "cells": {}}
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def keep(part: str, name: str, values: dict[str, Any]) -> None:
    """Put values into the file, which is written whole."""
    content = read()
    content["where"] = where()
    content[part][name] = values
    partial = RESULTS.with_suffix(".part")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(RESULTS)


def table(content: dict[str, Any], limits: dict[str, dict[float, dict[str, float]]]) -> list[str]:
    """Lines: grid / 1 / 5 / all frames for each noise; limits from unmixing_limits.bounds."""
    head = [f"noise {noise:g}" for noise in LEVELS]
    lines = [
        f"| grid / decoded by 1 / 5 / all frames | steps | trajectories | {' | '.join(head)} |"
    ]
    lines += ["|---" * (3 + len(head)) + "|"]
    cells = content["cells"]
    others = dict.fromkeys(place.split(" | ")[0] for place in cells)
    for name in dict.fromkeys((*METHODS, *others, *CONTROLS)):
        own = {
            (column, noise): cells[key(name, column, noise)]
            for column in COLUMNS
            for noise in LEVELS
            if key(name, column, noise) in cells
        }
        if own:
            counts = sorted({values["trajectories"] for values in own.values()})
            steps = content["methods"].get(name, {}).get("steps", "")
            texts = [
                joined([score(own.get((column, noise))) for column in COLUMNS]) for noise in LEVELS
            ]
            words = [name, str(steps), " and ".join(map(str, counts)), *texts]
            lines.append(f"| {' | '.join(words)} |")
    texts = [
        " / ".join(["", *(f"{limits[name][noise]['confidence']:.1f}" for name in FRAMES)]).strip()
        for noise in LEVELS
    ]
    lines.append(f"| {' | '.join(['bound', '', '', *texts])} |")
    return lines


def joined(scores: list[str]) -> str:
    """Figures of a cell of the table, without what was not measured behind the last one."""
    while len(scores) > 1 and scores[-1] == "-":
        scores.pop()
    return " / ".join(scores)


def score(values: dict[str, float] | None) -> str:
    """CSO-mAP of a cell, by confidence where it is decoded; a dash where it was not measured."""
    if values is None:
        return "-"
    return f"{values.get('confidence', values.get('CSO-mAP')):.1f}"


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("measure", "table"))
    names = [*METHODS, *CONTROLS]
    parser.add_argument("--methods", nargs="+", default=names)
    parser.add_argument("--model", nargs=2, action="append", default=[], metavar=("NAME", "RUN"))
    parser.add_argument("--levels", nargs="+", type=float, default=LEVELS, choices=LEVELS)
    parser.add_argument("--columns", nargs="+", default=COLUMNS, choices=COLUMNS)
    parser.add_argument("--trajectories", type=int, default=50)
    parser.add_argument("--steps", type=int, default=300, help="of training, at most")
    parser.add_argument("--seconds", type=float, default=300, help="of training, of one core")
    parser.add_argument("--force", action="store_true", help="also what is there already")
    parser.add_argument("--output", type=Path, default=ROOT / "output" / "unmixing_noise")
    args = parser.parse_args(words)
    args.runs = {name: Path(run) for name, run in args.model}
    names += args.runs
    if unknown := [name for name in args.methods if name not in names]:
        parser.error(f"--methods {unknown}: there are {names}")
    return args


def main() -> None:
    """Measure, or print."""
    args = arguments()
    if args.what == "measure":
        measure(args)
    else:
        print("\n".join([read()["where"], "", *table(read(), bounds(Scene(50).drawn))]))


if __name__ == "__main__":
    main()
