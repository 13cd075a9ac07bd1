"""A training step with everything that keeps a training safe, over Detectron2's own trainer.

    OMP_NUM_THREADS=1 DETECTRON2_DATASETS=... python benchmarks/guards.py [--config C] [KEY VALUE]

d2freq's trainer has the position in the data and the random states of workers, looks at gradients
before each update, listens to signals, and has its hooks around saving and evaluation. The other
side is DefaultTrainer with the same model, data and schedule and none of these. Steps of both take
turns, hooks included; checkpoints are left out. The figure is the median of the ratios of
neighbouring steps. --seconds processor counts the main process alone and is hardly moved by other
work on the machine.
"""

import argparse
import statistics
import tempfile
import time
from typing import Any

import torch
from common import ROOT, where

from d2freq.engine import Trainer, load_yaml
from d2freq.engine.config import YamlConfig

# isort: split
from detectron2.engine import DefaultTrainer
from detectron2.utils.env import seed_all_rng
from detectron2.utils.events import EventStorage
from tabulate import tabulate

CONFIG = ROOT / "configs/demo/faster_rcnn_R18_HSFPN_scenes.yaml"
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


class Plain(DefaultTrainer):
    """DefaultTrainer with the data and the model of d2freq's."""

    build_train_loader = Trainer.build_train_loader
    build_optimizer = Trainer.build_optimizer
    build_evaluator = Trainer.build_evaluator

    @classmethod
    def build_model(cls, cfg: Any) -> torch.nn.Module:
        return YamlConfig(cfg).model()


def begin(kind: type, cfg: Any) -> Any:
    """A trainer before its first step."""
    seed_all_rng(1)
    trainer = kind(cfg)
    trainer.iter = trainer.start_iter = 0
    trainer.storage = EventStorage(0)
    with trainer.storage:
        trainer.before_train()
    return trainer


def step(trainer: Any, clock: Any) -> float:
    """Seconds of one iteration, hooks included."""
    with trainer.storage:
        began = clock()
        trainer.before_step()
        trainer.run_step()
        trainer.after_step()
        seconds = clock() - began
    trainer.iter += 1
    return seconds


def main() -> None:
    """Print a markdown row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default=str(CONFIG))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seconds", choices=CLOCKS, default="wall")
    parser.add_argument("overrides", nargs="*", help="KEY VALUE")
    args = parser.parse_intermixed_args()
    torch.set_num_threads(1)
    clock = CLOCKS[args.seconds]
    with tempfile.TemporaryDirectory() as folder:
        words = ["MODEL.DEVICE", "cpu", "OUTPUT_DIR", folder, "TEST.EVAL_PERIOD", "0"]
        cfg = load_yaml(args.config, [*words, *args.overrides])
        plain, guarded = (begin(kind, cfg) for kind in (Plain, Trainer))
        ratios, seconds = [], []
        for number in range(args.steps + 5):
            # which comes first changes, so that what a step leaves in the caches falls on both
            pair = [(plain, 0), (guarded, 1)][:: 1 if number % 2 else -1]
            found = {side: step(trainer, clock) for trainer, side in pair}
            if number >= 5:
                ratios.append(found[1] / found[0])
                seconds.append(found[0])
    low, middle, high = statistics.quantiles(ratios, n=4)
    row = [args.seconds, args.steps, f"{statistics.median(seconds):.3f}", f"{middle:.4f}"]
    headers = ["seconds", "pairs", "plain step, s", "median ratio", "quartiles"]
    print(tabulate([[*row, f"{low:.3f} to {high:.3f}"]], headers, tablefmt="github"))
    print(where())


if __name__ == "__main__":
    main()
