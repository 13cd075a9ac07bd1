"""A training step on one CPU core with D2FREQ.FAST_CPU and without: time, losses, gradients.

    OMP_NUM_THREADS=1 DETECTRON2_DATASETS=... python benchmarks/fast_cpu.py [--config C] [KEY VALUE]

Real batches of the config's own training loader, the sides taking turns. Times are processor
seconds, which other work on the machine hardly moves. --with-layout adds both sides once more in
torch's channels_last layout, whose losses are equal to rounding only.
"""

import argparse
import copy
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from common import ROOT, where
from torch import nn

from d2freq.engine import Trainer, load_yaml
from d2freq.engine.config import as_config
from d2freq.modeling.fast_cpu import make_fast_on_cpu

# isort: split
from detectron2.modeling import build_model
from detectron2.utils.env import seed_all_rng
from detectron2.utils.events import EventStorage

CONFIG = ROOT / "configs/evidence/faster_rcnn_MobileNetV2_FPN_kit_ais.yaml"
PARTS = ("forward", "backward", "update", "step")


def stepper(model: nn.Module, optimizer: Any) -> Callable[[list], dict[str, float]]:
    """A step on a batch, which returns the seconds of its parts, and its loss."""

    def step(batch: list) -> dict[str, float]:
        torch.manual_seed(0)  # the same regions are sampled on each side
        times = [time.process_time()]
        with EventStorage():
            loss = sum(model(batch).values())
        times.append(time.process_time())
        optimizer.zero_grad()
        loss.backward()
        times.append(time.process_time())
        optimizer.step()
        times.append(time.process_time())
        seconds = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        return dict(zip(PARTS, [*seconds, times[-1] - times[0]], strict=True), loss=loss.item())

    return step


def main() -> None:
    """Print a markdown row a side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default=str(CONFIG))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--with-layout", action="store_true")
    parser.add_argument("overrides", nargs="*", help="KEY VALUE")
    args = parser.parse_intermixed_args()
    cfg = load_yaml(args.config, [*args.overrides, "MODEL.DEVICE", "cpu"])
    cfg.DATALOADER.NUM_WORKERS = 0
    seed_all_rng(1)
    first = build_model(cfg).train()
    if cfg.MODEL.WEIGHTS:
        from d2freq.engine.weights.torchvision import TorchvisionCheckpointer

        TorchvisionCheckpointer(first).load(cfg.MODEL.WEIGHTS)
    loader = iter(Trainer.build_train_loader(cfg))
    batches = [next(loader) for _ in range(args.repeats + 2)]
    sides = {"as it is": copy.deepcopy(first), "FAST_CPU": copy.deepcopy(first)}
    make_fast_on_cpu(sides["FAST_CPU"])
    if args.with_layout:
        for name in list(sides):
            twin = copy.deepcopy(sides[name]).to(memory_format=torch.channels_last)
            sides[f"{name}, channels_last"] = twin
    steps = {}
    for name, model in sides.items():
        optimizer = as_config(cfg).optimizer(model)
        for group in optimizer.param_groups:
            group["lr"] = 1e-6  # so that all sides stay the same model, to the rounding
        steps[name] = stepper(model, optimizer)
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for batch in batches:
        for name, step in steps.items():
            seen[name].append(step(batch))
    print(f"{where()}\n\n| side | {' | '.join(PARTS)} | step's ratio | loss of the first batch |")
    print("|---" * (len(PARTS) + 3) + "|")
    base = median(each["step"] for each in seen["as it is"][2:])
    for name, found in seen.items():
        seconds = {part: median(each[part] for each in found[2:]) for part in PARTS}
        cells = " | ".join(f"{seconds[part]:.3f}" for part in PARTS)
        print(f"| {name} | {cells} | {seconds['step'] / base:.2f} | {found[0]['loss']:.9f} |")


if __name__ == "__main__":
    main()
