"""What each arm costs: parameters, MACs, the time of a training step and of inference.

Times are processor seconds of one thread, the arms taking turns, so that other work on the machine
falls on all alike; tables give them as ratios.
"""

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from pretrained.arms import ARMS
from pretrained.runs import Run

from d2freq.analysis.cost.count import measure_cost
from d2freq.engine import Trainer, load_yaml
from d2freq.engine.config import as_config
from d2freq.modeling.fast_cpu import make_fast_on_cpu

# isort: split
from detectron2.modeling import build_model
from detectron2.utils.env import seed_all_rng
from detectron2.utils.events import EventStorage

Side = tuple[Callable[[], object], Callable[[], object]]


def measure(data: str, names: Sequence[str], *, weights: str, repeats: int = 5) -> dict[str, dict]:
    """Arm -> parameters, gmacs, step_s and inference_s.

    Args:
        data: whose schedule's images they see.
        names: of arms.
        weights: as for a run; an untrained network would propose other regions.
    """
    sides, found = {}, {}
    for name in names:
        sides[name], (parameters, macs) = _side(data, name, weights)
        found[name] = {"parameters": parameters, "gmacs": round(macs / 1e9, 3)}
    for key, place in (("step_s", 0), ("inference_s", 1)):
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(repeats + 2):
            for name, calls in sides.items():
                began = time.process_time()
                calls[place]()
                if turn >= 2:  # the first are for warming up
                    seconds[name].append(time.process_time() - began)
        for name, values in seconds.items():
            found[name][key] = round(statistics.median(values), 4)
    return found


def _side(data: str, name: str, weights: str) -> tuple[Side, tuple[int, int]]:
    file, words = Run(data, name, 1).config(1.0)
    cfg = load_yaml(file, words)
    seed_all_rng(1)
    model = build_model(cfg)
    if ARMS[name].weights:
        from d2freq.engine.weights.torchvision import TorchvisionCheckpointer

        TorchvisionCheckpointer(model).load(weights)
    # SET leaves the detector's inference as it is, and the count is of that
    cost = measure_cost(getattr(model, "detector", model), size=(320, 320), proposals=300)
    if cfg.D2FREQ.FAST_CPU:
        make_fast_on_cpu(model)
    optimizer = as_config(cfg).optimizer(model)
    for group in optimizer.param_groups:
        group["lr"] = 1e-5
    loader = iter(Trainer.build_train_loader(cfg))
    batches = [next(loader) for _ in range(4)]
    turn = 0

    def step() -> None:
        nonlocal turn
        model.train()
        batch, turn = batches[turn % 4], turn + 1
        with EventStorage():
            loss = sum(model(batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def infer() -> None:
        with torch.no_grad():
            model.eval()([{"image": torch.zeros(3, 320, 320, dtype=torch.uint8)}])

    return (step, infer), cost.total
