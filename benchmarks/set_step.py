"""What SET costs: a training step with it and without, where the time goes, and inference.

    python benchmarks/set_step.py [--depth 50] [--size 800] [--batch 2] [--dtype bfloat16]

Each detector of configs/set against its twin with SET, on random images with 100 boxes of 4 to
24 px. Times are medians of alternating steps in one process; peak memory is of a process of its
own each. The parts of a step with SET are timed in further steps, so that the clock does not slow
the compared ones; what is left of the step is the optimizer's and the loss sums'. The paper states
2.47 times the step of FCOS.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from common import ROOT, alternate, in_new_process, peak_mb, where
from training_step import make_batch  # chooses the host of what follows

# isort: split
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage
from torch import nn

from d2freq.engine import load_yaml

DETECTORS = {
    "FCOS": "fcos_R50_FPN{}_aitod.yaml",
    "RetinaNet": "retinanet_R50_FPN{}_aitod.yaml",
    "Faster R-CNN": "faster_rcnn_R50_FPN{}_aitod.yaml",
    "Cascade R-CNN": "cascade_rcnn_R50_FPN{}_aitod.yaml",
}
SIDES = ("plain", "SET")
PARTS = ("first pass", "branch gradients", "smoothing", "second pass", "backward")
SMALL = ["MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64]


def build(detector: str, side: str, args: argparse.Namespace) -> Any:
    """The model of a config; both sides have the same weights in the detector."""
    file = DETECTORS[detector].format("_SET" if side == "SET" else "")
    options = ["MODEL.DEVICE", args.device, *(SMALL if args.depth == 18 else [])]
    torch.manual_seed(0)
    return build_model(load_yaml(str(ROOT / "configs" / "set" / file), options)).train()


class Clock:
    """Seconds of named parts of a program, waiting for the GPU before and after each."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def around(self, name: str, run: Callable) -> Callable:
        """``run``, timed."""

        def timed(*inputs: Any) -> Any:
            _wait()
            start = time.perf_counter()
            result = run(*inputs)
            _wait()
            self.seconds[name].append(time.perf_counter() - start)
            return result

        return timed


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def train_step(model: nn.Module, args: argparse.Namespace, clock: Clock) -> Callable[[], None]:
    """A closure of one step: forward, backward, SGD; float16 with a gradient scaler.

    The rate is 0: untrained weights that move may leave for numbers, such as denormal ones, on
    which a CPU is several times slower, and on each side at another step.
    """
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.0)
    scaler = torch.amp.GradScaler(args.device, enabled=args.dtype == "float16")
    mixed = torch.autocast(args.device, getattr(torch, args.dtype), enabled=args.dtype != "float32")
    batch = make_batch(args.batch, args.size, classes=1)

    def step() -> None:
        model.train()
        with EventStorage(), mixed:
            loss = sum(model(batch).values())
        optimizer.zero_grad()
        clock.around("backward", scaler.scale(loss).backward)()
        scaler.step(optimizer)
        scaler.update()

    return step


def where_time_goes(model: Any, args: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each part of a step with SET, by PARTS."""
    clock = Clock()
    passes = clock.around("both passes", model.detector.forward)
    model.detector.forward = passes
    model._noise = clock.around("branch gradients", model._noise)
    model._smoothed = clock.around("smoothing", model._smoothed)
    step = train_step(model, args, clock)
    for _ in range(args.repeats + 1):
        step()
    both = clock.seconds.pop("both passes")
    clock.seconds |= {"first pass": both[::2], "second pass": both[1::2]}
    return {part: statistics.median(clock.seconds[part][1:]) for part in PARTS}


def infer(model: nn.Module, args: argparse.Namespace) -> Callable[[], list]:
    """A closure of one inference: boxes and scores of each image."""
    batch = [{"image": each["image"]} for each in make_batch(args.batch, args.size, classes=1)]

    def run() -> list:
        model.eval()
        with torch.no_grad():
            found = [each["instances"] for each in model(batch)]
        return [t for each in found for t in (each.pred_boxes.tensor, each.scores)]

    return run


def measure(detector: str, args: argparse.Namespace) -> None:
    """Print the detector's rows."""
    models = {side: build(detector, side, args) for side in SIDES}
    runs = {side: infer(model, args) for side, model in models.items()}
    with torch.no_grad():
        equal = all(torch.equal(a, b) for a, b in zip(*(r() for r in runs.values()), strict=True))
    inference = alternate(runs, repeats=args.repeats)
    steps = {side: train_step(model, args, Clock()) for side, model in models.items()}
    seconds = alternate(steps, repeats=args.repeats)
    parts = where_time_goes(models["SET"], args)
    words = [f"--{name}={getattr(args, name)}" for name in ("size", "batch", "depth", "dtype")]
    words += [f"--device={args.device}", f"--memory-of={detector}"]
    peaks = {s: float(in_new_process(__file__, *words, f"--side={s}")) for s in SIDES}
    cells = [f"{seconds['plain']:.3f}", f"{seconds['SET']:.3f}"]
    cells += [f"**{seconds['SET'] / seconds['plain']:.2f}**"]
    cells += [f"{parts[part] / seconds['plain']:.2f}" for part in PARTS]
    cells += [
        f"{peaks['plain']:.0f}",
        f"{peaks['SET']:.0f}",
        f"{peaks['SET'] / peaks['plain']:.2f}",
    ]
    cells += [f"{inference['SET'] / inference['plain']:.2f}", "yes" if equal else "NO"]
    print(f"| {detector} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print one markdown row a detector."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=50, choices=(18, 50), help="of the ResNet")
    parser.add_argument("--size", type=int, default=800, help="of the images, in pixels")
    parser.add_argument("--batch", type=int, default=2, help="images a step")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--detectors", nargs="+", default=list(DETECTORS), choices=DETECTORS)
    parser.add_argument("--memory-of", choices=DETECTORS, help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.device == "auto":
        args.device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_flush_denormal(True)
    if args.memory_of:
        step = train_step(build(args.memory_of, args.side, args), args, Clock())
        step()
        step()
        print(peak_mb(args.device))
        return
    print(f"ResNet-{args.depth}, {args.batch} x {args.size} px, {args.dtype}; {where()}\n")
    names = ["detector", "step, s", "with SET, s", "ratio", *PARTS]
    names += ["peak MB", "with SET, MB", "ratio", "inference ratio", "equal detections"]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for detector in args.detectors:
        measure(detector, args)
    print("\nParts of the step with SET in units of the step without.")


if __name__ == "__main__":
    main()
