"""Trainings that kill -9 ends at random moments, resumed each time, against one that ran through.

    OMP_NUM_THREADS=1 DETECTRON2_DATASETS=... python benchmarks/resume.py [--kills 5] [--seed 0]

Each row is one config on generated scenes (d2freq generate scenes): small detectors, crops of 64
pixels, a checkpoint every third iteration. A process is killed once it has done a random number of
iterations behind its start, and then a random part of a step: in the forward pass, in the update,
or while it writes a checkpoint. The last one ends; everything that its checkpoint holds (weights,
momenta, averages, random states, position in the data) is compared with that of the whole run.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch
from common import ROOT, where
from tabulate import tabulate

import d2freq  # noqa: F401  chooses the host

# isort: split
from detectron2.engine import default_argument_parser

from d2freq.engine import run
from d2freq.engine.step import Step

FORK = multiprocessing.get_context("fork")
ITERATIONS = 15
SMALL = f"""MODEL.DEVICE cpu MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 32
    TEST.EVAL_PERIOD 0 DATASETS.TEST () INPUT.CROP.SIZE [64,64] SOLVER.STEPS (9,)
    SOLVER.MAX_ITER {ITERATIONS}
    SOLVER.CHECKPOINT_PERIOD 3 SOLVER.IMS_PER_BATCH 2 """
LAZY = f"""train.device=cpu model.backbone.out_channels=32 model.roi_heads.box_head.fc_dims=[32,32]
    model.roi_heads.box_predictor.input_shape.channels=32 dataloader.train.total_batch_size=2
    train.eval_period=0 train.max_iter={ITERATIONS} train.checkpointer.period=3 """
RCNN, FCOS = "demo/faster_rcnn_R18_HSFPN_scenes", "set/fcos_R18_FPN_SET_scenes"
RUNS = {
    "YAML, Faster R-CNN with HS-FPN, no workers": (RCNN + ".yaml", "DATALOADER.NUM_WORKERS 0"),
    "YAML, FCOS with SET, 2 workers": (FCOS + ".yaml", "DATALOADER.NUM_WORKERS 2"),
    "lazy, Faster R-CNN with HS-FPN, 2 workers": (RCNN + ".py", "dataloader.train.num_workers=2"),
    "lazy, bfloat16, EMA, 1 worker": (
        RCNN + ".py",
        "dataloader.train.num_workers=1 train.amp.enabled=True train.ema.enabled=True",
    ),
}


def train(name: str, folder: Path, *flags: str) -> None:
    """A whole training, in the process that it is called in."""
    torch.set_num_threads(1)
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    usual = Step.write_metrics

    def note(losses, waited, iteration, *rest, **more):
        with open(folder / "progress", "a") as file:
            print(iteration, {k: v.item() for k, v in losses.items()}, file=file, flush=True)
        usual(losses, waited, iteration, *rest, **more)

    Step.write_metrics = staticmethod(note)
    config, options = RUNS[name]
    words = (SMALL if config.endswith(".yaml") else LAZY).split() + options.split()
    out = [f"train.output_dir={folder}"] if config.endswith(".py") else ["OUTPUT_DIR", str(folder)]
    arguments = ["--config-file", str(ROOT / "configs" / config), *flags, *words, *out]
    run(default_argument_parser().parse_args(arguments))


def start(name: str, folder: Path, *flags: str) -> multiprocessing.Process:
    """A training in a process of its own; a fork saves importing torch each time."""
    process = FORK.Process(target=train, args=(name, folder, *flags))
    process.start()
    return process


def run_through(name: str, folder: Path, *flags: str) -> None:
    """Wait for the end of a training."""
    process = start(name, folder, *flags)
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{name} failed; see {folder / 'log'}")


def progress(folder: Path) -> list[str]:
    file = folder / "progress"
    return file.read_text().splitlines() if file.exists() else []


def run_killed(name: str, folder: Path, draw: random.Random, *flags: str) -> int:
    """Kill a run at a random moment; returns the iteration that it was in."""
    done, step = len(progress(folder)), time.monotonic()
    process = start(name, folder, *flags)
    wanted = done + draw.randint(1, 6)
    while len(progress(folder)) < wanted and process.exitcode is None:
        if len(progress(folder)) == done:
            step = time.monotonic()
        time.sleep(0.005)
    seconds = (time.monotonic() - step) / max(wanted - done, 1)
    time.sleep(draw.random() * seconds)
    process.kill()
    process.join()
    if process.exitcode != -signal.SIGKILL:
        raise RuntimeError(f"{name} ended before it was killed; see {folder / 'log'}")
    return int(progress(folder)[-1].split()[0])


def largest_difference(one, other) -> float:
    """Between the numbers of two checkpoints; infinite where their structures differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return max((largest_difference(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return max(map(largest_difference, one, other), default=0.0)
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        same = one.shape == other.shape
        gap = (one.double() - other.double()).abs() if same else torch.tensor([torch.inf])
        return float(gap.max()) if gap.numel() else 0.0
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other)
    return 0.0 if one == other else float("inf")


def compare(whole: Path, killed: Path) -> float:
    """The largest difference between the ends of two trainings, last losses included."""
    ends = [torch.load(f / "model_final.pth", weights_only=True) for f in (whole, killed)]
    if progress(whole)[-1] != progress(killed)[-1]:
        return float("inf")
    return largest_difference(*ends)


def main() -> None:
    """Print a markdown row a config."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=5, help="of each config")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", default="", help="configs whose name holds this")
    args = parser.parse_args()
    draw, rows = random.Random(args.seed), []
    for name in (each for each in RUNS if args.only in each):
        with tempfile.TemporaryDirectory() as temporary:
            whole, killed = Path(temporary) / "whole", Path(temporary) / "killed"
            for folder in (whole, killed):
                folder.mkdir()
            run_through(name, whole)
            moments: list[int] = []
            gaps: list[float] = []
            fresh = True
            while len(moments) < args.kills or not fresh:
                # the last of them, or the rest is too short for another: to the end, and compare
                if not fresh and (len(moments) == args.kills or moments[-1] > ITERATIONS - 7):
                    run_through(name, killed, "--resume")
                    gaps.append(compare(whole, killed))
                    shutil.rmtree(killed)
                    killed.mkdir()
                    fresh = True
                    continue
                moments.append(run_killed(name, killed, draw, *([] if fresh else ["--resume"])))
                fresh = False
                print(name, "killed in iteration", moments[-1], flush=True)
        rows.append([name, len(moments), str(moments), len(gaps), max(gaps)])
    headers = ["training", "kills", "in iterations", "ends compared", "largest difference"]
    print(tabulate(rows, headers, tablefmt="github"))
    print(where(), os.environ.get("OMP_NUM_THREADS", ""))


if __name__ == "__main__":
    main()
