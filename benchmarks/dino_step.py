"""What DINO costs: a training step and inference, eager, checkpointed, in parts; its attention.

    python benchmarks/dino_step.py [--only attention] [--sizes 256 512] [--models small R50]

Each row is a process of its own. Memory is the peak of the first run less what was there before:
what an allocator keeps afterwards would hide that of a second one. Times are medians of later runs,
on the clock and of the processor, which other work on the machine does not lengthen. Models train
on one random image with 100 boxes of 4 to 24 px, which denoising has in one group.

The attention is the encoder's, forward and backward, of the tokens of an image of the largest size
at strides 4 to 64: as it is, level by level; with the samples of all levels side by side, as the
published pure-torch form has them; and without grid_sample, the four cells around each point
gathered level by level. All three agree to 1e-5, or the script says so.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from common import ROOT, in_new_process, peak_mb, where
from tabulate import tabulate
from training_step import make_batch  # chooses the host of what follows

# isort: split
import torch.nn.functional as F
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage
from torch import Tensor

from d2freq.engine import load_yaml
from d2freq.modeling.detectors.dino import attend_to_points

CONFIGS = {"small": "dino_MobileNetV2_scenes.yaml", "R50": "dino_5scale_R50_aitod.yaml"}
# USE_ACT_CHECKPOINT and QUERY_CHUNK
SIDES = {"eager": (False, 0), "checkpointed": (True, 0), "and in parts of 4096": (True, 4096)}
STRIDES = (4, 8, 16, 32, 64)
PARTS = ("step", "inference")
HEADS, CHANNELS, POINTS = 8, 256, 4


def timed(run: Callable[[], object], device: str, *, repeats: int) -> dict:
    """Median times of ``run`` behind the first, and the MB by which memory rose in that."""
    before = peak_mb(device, reset=True)
    first = _times_of(run)
    risen = peak_mb(device) - before
    times = [_times_of(run) for _ in range(repeats)] or [first]
    seconds, busy = (statistics.median(each) for each in zip(*times, strict=True))
    return {"s": seconds, "busy": busy, "mb": risen}


def _times_of(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    _wait()
    start, worked = time.perf_counter(), time.process_time()
    run()
    _wait()
    return time.perf_counter() - start, time.process_time() - worked


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def model_row(name: str, size: int, side: str, args: argparse.Namespace) -> dict:
    """A training step's and an inference's time and memory."""
    checkpointed, chunk = SIDES[side]
    options = ["MODEL.DEVICE", args.device, "MODEL.DINO.USE_ACT_CHECKPOINT", checkpointed]
    options += ["MODEL.DINO.QUERY_CHUNK", chunk]
    torch.manual_seed(0)
    cfg = load_yaml(str(ROOT / "configs" / "detectors" / CONFIGS[name]), options)
    model = build_model(cfg).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0)
    batch = make_batch(1, size, classes=1)

    def step() -> None:
        with EventStorage():
            loss = sum(model(batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    alone = [{"image": each["image"]} for each in batch]
    model.eval()
    with torch.no_grad():
        inference = timed(lambda: model(alone), args.device, repeats=args.repeats)
    model.train()
    return {"inference": inference, "step": timed(step, args.device, repeats=args.repeats)}


def side_by_side(maps: list[Tensor], locations: Tensor, weights: Tensor) -> Tensor:
    """``attend_to_points`` with one tensor (N M, C / M, Q, L, P) of all samples."""
    images, heads = maps[0].shape[:2]
    grids = (2 * locations - 1).transpose(1, 2).flatten(0, 1)
    samples = torch.stack(
        [
            F.grid_sample(level.flatten(0, 1), grids[:, :, number], align_corners=False)
            for number, level in enumerate(maps)
        ],
        dim=3,
    )
    shares = weights.transpose(1, 2).flatten(0, 1).unsqueeze(1)
    total = (samples * shares).sum(dim=(3, 4))
    return total.unflatten(0, (images, heads)).flatten(1, 2).transpose(1, 2)


def gathered(maps: list[Tensor], locations: Tensor, weights: Tensor) -> Tensor:
    """``attend_to_points`` by indices: the four cells around each point, level by level."""
    images, heads, channels = maps[0].shape[:3]
    total = 0
    for number, level in enumerate(maps):
        height, width = level.shape[-2:]
        cells = level.flatten(3)  # (N, M, C / M, cells)
        x = locations[:, :, :, number, :, 0].transpose(1, 2) * width - 0.5  # (N, M, Q, P)
        y = locations[:, :, :, number, :, 1].transpose(1, 2) * height - 0.5
        left, top = x.floor(), y.floor()
        share = weights[:, :, :, number].transpose(1, 2)
        for right in (0, 1):
            for lower in (0, 1):
                column, row = left + right, top + lower
                inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
                near = (1 - (x - column).abs()) * (1 - (y - row).abs()) * inside * share
                column, row = column.clamp(0, width - 1), row.clamp(0, height - 1)
                index = (row * width + column).long().flatten(2)  # (N, M, Q P)
                values = cells.gather(3, index[:, :, None].expand(-1, -1, channels, -1))
                values = values.unflatten(3, near.shape[-2:])
                total = total + (values * near[:, :, None]).sum(-1)
    return total.permute(0, 3, 1, 2).flatten(2)


WAYS = {"as it is": attend_to_points, "side by side": side_by_side, "gathered": gathered}


def attention_inputs(size: int, device: str) -> tuple[list[Tensor], Tensor, Tensor]:
    """Values, places and weights of an encoder layer, as trained ones are: near each cell."""
    draw = torch.Generator().manual_seed(0)
    sides = [-(-size // stride) for stride in STRIDES]
    maps = [torch.randn(1, HEADS, CHANNELS // HEADS, s, s, generator=draw) for s in sides]
    steps = [(torch.arange(s) + 0.5) / s for s in sides]
    cells = torch.cat([torch.cartesian_prod(step, step).flip(1) for step in steps])
    shape = (1, len(cells), HEADS, len(sides), POINTS)
    spread = torch.randn(*shape, 2, generator=draw) / torch.tensor(sides)[:, None, None] * 2
    weights = torch.rand(shape, generator=draw).flatten(3).softmax(-1).reshape(shape)
    found = [*maps, cells[:, None, None, None] + spread, weights]
    *maps, locations, weights = [each.to(device).requires_grad_() for each in found]
    return maps, locations, weights


def attention_row(way: str, size: int, args: argparse.Namespace) -> dict:
    """Time and memory of forward and backward."""
    maps, locations, weights = attention_inputs(size, args.device)
    leaves = [*maps, locations, weights]

    def run() -> list[Tensor]:
        total = WAYS[way](maps, locations, weights)
        return torch.autograd.grad(total.square().sum(), leaves)

    return timed(run, args.device, repeats=args.repeats)


def ways_agree(device: str) -> bool:
    """Outputs and gradients at 64 px, against those of ``attend_to_points``."""
    maps, locations, weights = attention_inputs(64, device)
    results = []
    for way in WAYS.values():
        total = way(maps, locations, weights)
        gradients = torch.autograd.grad(total.square().sum(), [*maps, locations, weights])
        results.append([total, *gradients])
    return all(
        torch.allclose(ours, theirs, atol=1e-5 * ours.detach().abs().max().item())
        for other in results[1:]
        for ours, theirs in zip(results[0], other, strict=True)
    )


def in_process(args: argparse.Namespace, *row: object) -> dict:
    words = [f"--{name}={getattr(args, name)}" for name in ("device", "repeats")]
    return json.loads(in_new_process(__file__, *words, "--row", json.dumps(row)))


def _cells(found: dict) -> list[str]:
    return [f"{found['s']:.2f}", f"{found['busy']:.2f}", f"{found['mb']:.0f}"]


def print_models(args: argparse.Namespace) -> None:
    """A row a model, size and side."""
    rows = []
    for name in args.models:
        for size in args.sizes:
            for side in SIDES:
                found = in_process(args, name, size, side)
                cells = [cell for part in PARTS for cell in _cells(found[part])]
                rows.append([name, size, side, *cells])
                print(*rows[-1], flush=True)
    names = ["model", "px", "side", *(f"{p}, {u}" for p in PARTS for u in ("s", "CPU s", "MB"))]
    print("\n" + tabulate(rows, names, tablefmt="github", disable_numparse=True) + "\n")


def print_attention(args: argparse.Namespace) -> None:
    """A row for each way, with its ratios to the one that is in use."""
    print(f"all ways agree: {'yes' if ways_agree(args.device) else 'NO'}\n")
    size = max(args.sizes)
    found = {way: in_process(args, "attention", way, size) for way in WAYS}
    first = found["as it is"]
    rows = [
        [way, *_cells(each), *(f"{each[key] / first[key]:.2f}" for key in ("busy", "mb"))]
        for way, each in found.items()
    ]
    tokens = sum((-(-size // stride)) ** 2 for stride in STRIDES)
    names = [f"{tokens} tokens ({size} px)", "s", "CPU s", "MB", "CPU ratio", "MB ratio"]
    print(tabulate(rows, names, tablefmt="github", disable_numparse=True))


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("models", "attention"))
    parser.add_argument("--models", nargs="+", default=list(CONFIGS), choices=CONFIGS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512], help="in pixels")
    parser.add_argument("--repeats", type=int, default=3, help="0: the first run's times")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.device == "auto":
        args.device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_flush_denormal(True)
    if args.row:
        first, *rest = args.row
        row = attention_row if first == "attention" else model_row
        print(json.dumps(row(*(rest if first == "attention" else args.row), args)))
        return
    print(f"one image; {torch.get_num_threads()} threads; {where()}\n")
    if args.only != "attention":
        print_models(args)
    if args.only != "models":
        print_attention(args)


if __name__ == "__main__":
    main()
