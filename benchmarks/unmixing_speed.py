"""DeRefNet: trajectories a second in one pass, against the published order of work.

    python benchmarks/unmixing_speed.py [--batch 4] [--dtype bfloat16]

Three sides with equal weights, on trajectories of 20 frames of noise:

* one pass - the model as it is, all windows of the batch at once;
* published order - a trajectory at a time: features of its 20 frames at once, Phi^T Phi made anew,
  then window after window and neighbour after neighbour, torchvision's deformable convolution;
* windows alone - each window of five frames by itself through the model, as for a stream of frames
  of which nothing is kept; every frame passes the unfolding in up to five windows.

The sides take turns; medians, and the median of the ratios of a turn. Before that the published
order's grids and losses are compared with the model's. MACs of 20 frames are by formula: products
of convolutions (deformable ones too), linear layers and matrices, of what evaluation needs; the
model's own agree with `d2freq cost --config-file configs/derefnet/derefnet_seqcsist.yaml`.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from common import _synchronize, where
from torch import Tensor
from torchvision.ops import deform_conv2d

from d2freq.modeling.derefnet import DeRefNet
from d2freq.modeling.unmixing.stages import squared_error
from d2freq.ops.psf import sampling_matrix

FRAMES, CELLS, WIDE = 20, 33 * 33, 32
SIDES = ("one pass", "published order", "windows alone")


def pair(model: DeRefNet, centre: Tensor, other: Tensor) -> Tensor:
    """One neighbour's map (1, 1, g, g), from H' of centre and neighbour."""
    of, guide = model.alignment, model.alignment.guide
    first, x = F.relu(of.features(centre)), F.relu(of.features(other))
    one, two = guide.reduce_centre(first), guide.reduce_neighbour(x)
    both = torch.cat([one, two], 1)
    pooled = torch.cat([both.mean(1, keepdim=True), both.amax(1, keepdim=True)], 1)
    weight = torch.sigmoid(guide.score(pooled))
    hint = torch.cat([one * weight[:, :1], two * weight[:, 1:]], 1)
    for layer in of.alignments:
        x = deform_conv2d(x, layer.offset(hint), layer.weight, padding=1)
        hint = x
    return of.project(x)


def published(model: DeRefNet, frames: Tensor, target: Tensor | None) -> Tensor:
    """One trajectory (T, 1, m, m): its grids (F, g, g), or with a target its loss."""
    gram, back = model.phi.T @ model.phi, model.back_projection(frames)
    start, residuals = model.initial(frames), []
    if target is None:
        maps = model.unfolding.estimate(start, gram, back)
    else:
        maps, residuals = model.unfolding(start, gram, back)
    encoded = model.time_encoding(maps[None])[0]
    grids, loss = [], 0.1 * squared_error(residuals) if residuals else torch.zeros(())
    for t in range(2, len(frames) - 2):
        around = (t - 2, t - 1, t + 1, t + 2)
        aligned = [pair(model, encoded[t : t + 1], encoded[i : i + 1]) for i in around]
        window = torch.cat([*aligned[:2], encoded[t : t + 1], *aligned[2:]], 1)
        grids.append(model.tail(window))
        if target is not None:
            loss = loss + F.mse_loss(grids[-1], target[t])
            loss = loss + 0.1 * sum((one - maps[t]).abs().sum() for one in aligned)
    return torch.cat(grids) if target is None else loss


def run(model: DeRefNet, records: list[dict], side: str) -> list[Tensor]:
    """Losses of a training model, grids (F, g, g) of an evaluated one; a tensor a model call."""
    if side == "published order":
        device, training = model.device, model.training
        return [
            published(model, r["frames"].to(device), r["target"].to(device) if training else None)
            for r in records
        ]
    calls = [records]
    if side == "windows alone":
        starts = range(FRAMES - 4)
        calls = [
            [{key: r[key][i : i + 5] for key in ("frames", "target")}]
            for r in records
            for i in starts
        ]
    if model.training:
        return [sum(model(call).values()) for call in calls]
    return [output["grid"] for call in calls for output in model(call)]


def step(model: DeRefNet, records: list[dict], side: str, autocast: torch.autocast) -> None:
    """Inference, or forward and backward."""
    with autocast, torch.set_grad_enabled(model.training):
        results = run(model, records, side)
        if model.training:
            sum(results).backward()
            model.zero_grad()


def turns(sides: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each side in each turn."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(repeats + 1):
        for side, call in sides.items():
            _synchronize()
            start = time.perf_counter()
            call()
            _synchronize()
            if number:  # the first turn warms up
                seconds[side].append(time.perf_counter() - start)
    return seconds


def macs(side: str, stages: int = 9) -> float:
    """Multiply-adds of 20 frames in evaluation, in G."""
    stage = CELLS * 9 * (2 * WIDE + 2 * WIDE * WIDE) + CELLS * CELLS
    frame = stages * stage + 2 * 121 * CELLS + CELLS * CELLS  # Q_init, y Phi, time encoding
    feature, reduce = CELLS * 9 * WIDE, CELLS * WIDE * WIDE // 2
    kernel = CELLS * 9 * (WIDE * 18 + WIDE * WIDE)
    one_pair = CELLS * 9 * 4 + 2 * kernel + CELLS * 9 * WIDE
    tail = CELLS * 9 * (5 * WIDE + 10 * WIDE * WIDE + WIDE)
    windows = FRAMES - 4
    fixed = windows * (4 * one_pair + tail)
    seen = {"one pass": FRAMES, "published order": FRAMES, "windows alone": 5 * windows}[side]
    per_frame = seen * frame
    if side == "published order":
        per_pair = windows * 4 * 2 * (feature + reduce) + 121 * CELLS * CELLS
        return (fixed + per_frame + per_pair) / 1e9
    return (fixed + per_frame + seen * (feature + 2 * reduce)) / 1e9


def check(model: DeRefNet, records: list[dict]) -> None:
    """Print how far grids and losses of the published order are from the model's."""
    with torch.no_grad():
        for training in (False, True):
            model.train(training)
            ours, theirs = (run(model, records[:1], side)[0] for side in SIDES[:2])
            far = float((ours - theirs).abs().max() / theirs.abs().max())
            print(f"{'loss' if training else 'grids'}: differ by {far:.1e} of the largest")


def main() -> None:
    """Measure the sides in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4, help="trajectories of a call")
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    model = DeRefNet(q_init=torch.linalg.pinv(sampling_matrix())).to(device)
    for parameter in model.parameters():  # offsets that point somewhere
        parameter.data.add_(0.002 * torch.randn_like(parameter))
    records = [
        {"frames": 200 * torch.rand(FRAMES, 1, 11, 11), "target": torch.rand(FRAMES, 1, 33, 33)}
        for _ in range(args.batch)
    ]
    autocast = torch.autocast(device, torch.bfloat16, enabled=args.dtype == "bfloat16")
    print(where(), f"; {torch.get_num_threads()} threads, {args.dtype}", sep="")
    check(model, records)
    print(
        f"\n| {args.batch} trajectories | MACs, G | inference/s | one pass / it | trained/s |",
        end="",
    )
    print(" one pass / it |\n|---|---|---|---|---|---|")
    found = []
    for training in (False, True):
        model.train(training)
        sides = {s: (lambda s=s: step(model, records, s, autocast)) for s in SIDES}
        found.append(turns(sides, args.repeats))
    for side in SIDES:
        cells = [side, f"{macs(side):.3f}"]
        for seconds in found:
            turn = zip(seconds[side], seconds[SIDES[0]], strict=True)
            ratio = statistics.median(other / own for other, own in turn)
            rate = args.batch / statistics.median(seconds[side])
            cells += [f"{rate:.2f}", f"{ratio:.2f}"]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
