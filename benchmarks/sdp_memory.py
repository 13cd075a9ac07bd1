"""SDP's peak memory and time against an implementation that keeps the score matrices.

Forward and backward of SDP at P4, P3 and P2 of an image (256 channels, the same weights and
inputs), each side in a process of its own: peak resident memory above that before the step on CPU,
``max_memory_allocated`` above the inputs on a GPU. The other side follows the paper's text: it
upsamples first, then multiplies, softmaxes and multiplies. Prints a markdown table.
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F
from common import in_new_process, peak_mb, where
from torch import Tensor

from d2freq.modeling.hs_fpn import SpatialDependencyPerception

CHANNELS = 256
GRIDS = {4: 2, 3: 4, 2: 8}  # pyramid level: windows per side


def with_scores(module: SpatialDependencyPerception, x: Tensor, above: Tensor, grid: int) -> Tensor:
    """SDP as the paper words it; autograd keeps the softmaxed scores of every window."""

    def cut(part: Tensor) -> Tensor:
        part = part.unflatten(3, (grid, -1)).unflatten(2, (grid, -1))
        return part.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(1, 2)

    upsampled = F.interpolate(above, scale_factor=2.0, mode="nearest")
    queries, keys = cut(module.query(x)), cut(module.key(upsampled))
    mixed = (queries @ keys.mT / CHANNELS**0.5).softmax(-1) @ keys
    window = (x.shape[2] // grid, x.shape[3] // grid)
    mixed = mixed.unflatten(2, window).unflatten(1, (grid, grid)).permute(0, 5, 1, 3, 2, 4)
    return x + mixed.reshape(x.shape)


def measure(side: str, size: int) -> dict[str, float]:
    """Peak MB, seconds and a checksum of the outputs of one side, in this process."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    modules = {level: SpatialDependencyPerception(CHANNELS).to(device) for level in GRIDS}
    maps = {
        level: torch.randn(1, CHANNELS, size >> level, size >> level, device=device)
        for level in (2, 3, 4, 5)
    }
    for value in maps.values():
        value.requires_grad_()

    def step(maps: dict[int, Tensor]) -> float:
        total = torch.zeros((), device=device)
        for level, grid in GRIDS.items():
            arguments = (maps[level], maps[level + 1], grid)
            attend = modules[level] if side == "d2freq" else _bind(modules[level])
            total = total + attend(*arguments).square().mean()
        total.backward()
        return total.item()

    def small() -> dict[int, Tensor]:
        return {level: torch.randn(1, CHANNELS, 1 << 7 - level, 1 << 7 - level) for level in maps}

    step({level: value.to(device) for level, value in small().items()})  # libraries load here
    before = peak_mb(device, reset=True)
    start = time.perf_counter()
    checksum = step(maps)
    seconds = time.perf_counter() - start
    return {"mb": peak_mb(device) - before, "seconds": seconds, "checksum": checksum}


def _bind(module: SpatialDependencyPerception):
    return lambda x, above, grid: with_scores(module, x, above, grid)


def main() -> None:
    """Measure both sides and print their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=800, help="side of the image, of 32 pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=("d2freq", "scores"), help="measure this process alone")
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measure(arguments.side, arguments.size)))
        return

    runs: dict[str, list[dict]] = {"d2freq": [], "scores": []}
    for _ in range(arguments.repeats):
        for side, results in runs.items():
            line = in_new_process(__file__, "--side", side, "--size", str(arguments.size))
            results.append(json.loads(line))
    ours, theirs = ({key: _median(r, key) for key in r[0]} for r in runs.values())
    print(where())
    print()
    print("| input | SDP, MB | with score matrices, MB | memory ratio | time ratio | difference |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {arguments.size} x {arguments.size} | {ours['mb']:.0f} | {theirs['mb']:.0f} "
        f"| {ours['mb'] / theirs['mb']:.2f} | {ours['seconds'] / theirs['seconds']:.2f} "
        f"| {abs(ours['checksum'] - theirs['checksum']):.1e} |"
    )


def _median(results: list[dict], key: str) -> float:
    return sorted(result[key] for result in results)[len(results) // 2]


if __name__ == "__main__":
    main()
