"""The neck alone, forward and backward: FPN, HS-FPN, and HS-FPN as a reader of the paper writes it.

Maps of a ResNet-50 (256 to 2048 channels) of two 800 x 800 images, random weights and inputs, each
side in a process of its own. The version by the book transforms every level, P4 and P5 with the
mask of alpha 0 too, zeroes the low band and transforms back; it upsamples before the keys and
keeps the scores of every window. Prints seconds, and peak memory above that before the step.
"""

import argparse
import json
import statistics
import time

import torch
from common import in_new_process, peak_mb, where

import d2freq.modeling.hs_fpn.high_frequency as hfp  # chooses the host of what follows

# isort: split
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import FPN, Backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from sdp_memory import with_scores
from torch import Tensor, nn

from d2freq.modeling.hs_fpn import HSFPN, SpatialDependencyPerception
from d2freq.ops.dct import band_rows, dct2, idct2

CHANNELS = {"res2": 256, "res3": 512, "res4": 1024, "res5": 2048}
STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}
SIDES = ("FPN", "HS-FPN", "HS-FPN, checkpointed", "by the book")


class Maps(Backbone):
    """Gives the maps that it is fed with."""

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Channels and strides of a ResNet-50."""
        return {n: ShapeSpec(channels=c, stride=STRIDES[n]) for n, c in CHANNELS.items()}

    def forward(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        """As they are."""
        return maps


def high_pass_by_the_book(x: Tensor, alpha: float, rounding: str = "floor") -> Tensor:
    """DCT, mask, inverse DCT, also where alpha is 0."""
    mask = torch.ones(x.shape[-2:], device=x.device)
    mask[: band_rows(x.shape[-2], alpha, rounding), : band_rows(x.shape[-1], alpha, rounding)] = 0
    return idct2(dct2(x) * mask)


def build(side: str) -> nn.Module:
    """The neck of one side, with equal weights."""
    torch.manual_seed(0)
    shared = (Maps(), list(CHANNELS), 256)
    if side == "FPN":
        return FPN(*shared, top_block=LastLevelMaxPool())
    recompute = side == "HS-FPN, checkpointed"
    neck = HSFPN(*shared, top_block=LastLevelMaxPool(), use_act_checkpoint=recompute)
    if side == "by the book":
        hfp.high_pass = high_pass_by_the_book  # this process measures nothing else
        for module in neck.modules():
            if isinstance(module, SpatialDependencyPerception):
                module.forward = with_scores.__get__(module)
    return neck


def measure(side: str, size: int, batch: int, dtype: str, compiled: bool, repeats: int) -> dict:
    """Median seconds, peak MB of one step and a checksum of the outputs."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    neck = build(side).to(device).train()
    run = torch.compile(neck) if compiled else neck
    autocast = torch.autocast(device, getattr(torch, dtype), enabled=dtype != "float32")

    def maps(side_length: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(1)
        shapes = {n: (batch, c, side_length // STRIDES[n]) for n, c in CHANNELS.items()}
        made = {n: torch.randn(*s, s[-1], generator=generator) for n, s in shapes.items()}
        return {n: value.to(device).requires_grad_() for n, value in made.items()}

    def step(inputs: dict[str, Tensor]) -> None:
        with autocast:
            sum(level.float().square().mean() for level in run(inputs).values()).backward()

    step(maps(64))  # libraries load here
    inputs = maps(size)
    before = peak_mb(device, reset=True)
    step(inputs)
    peak = peak_mb(device) - before
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        step(inputs)
        peak_mb(device)
        seconds.append(time.perf_counter() - start)
    with torch.no_grad(), autocast:
        checksum = sum(float(level.double().square().mean()) for level in run(inputs).values())
    return {"mb": peak, "seconds": statistics.median(seconds), "checksum": checksum}


def main() -> None:
    """Measure the three sides in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=800)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--rounds", type=int, default=2, help="processes a side")
    parser.add_argument("--repeats", type=int, default=3, help="timed steps a process")
    parser.add_argument("--side", choices=SIDES, help="measure this process alone")
    args = parser.parse_args()
    options = (args.size, args.batch, args.dtype, args.compile, args.repeats)
    if args.side:
        print(json.dumps(measure(args.side, *options)))
        return
    words = [f"--size={args.size}", f"--batch={args.batch}", f"--dtype={args.dtype}"]
    words += [f"--repeats={args.repeats}", *(["--compile"] if args.compile else [])]
    runs: dict[str, list[dict]] = {side: [] for side in SIDES}
    for _ in range(args.rounds):
        for side, results in runs.items():
            results.append(json.loads(in_new_process(__file__, "--side", side, *words)))
    rows = {
        side: {key: statistics.median(r[key] for r in results) for key in results[0]}
        for side, results in runs.items()
    }
    print(where())
    print("\n| neck | s | MB | time / FPN | memory / FPN | memory by the book / this |")
    print("|---|---|---|---|---|---|")
    plain, book = rows["FPN"], rows["by the book"]
    for side, row in rows.items():
        print(
            f"| {side} | {row['seconds']:.2f} | {row['mb']:.0f} "
            f"| {row['seconds'] / plain['seconds']:.2f} | {row['mb'] / plain['mb']:.2f} "
            f"| {book['mb'] / row['mb']:.2f} |"
        )
    difference = abs(rows["HS-FPN"]["checksum"] / book["checksum"] - 1)
    print(f"\nHS-FPN against the version by the book: outputs differ by {difference:.1e}")


if __name__ == "__main__":
    main()
