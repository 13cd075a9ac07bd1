"""What HS-FPN's gates and attention do after a training, measured on test images.

    python benchmarks/hs_fpn_gates.py RUN [RUN ...] [--images 20]

RUN is the output folder of a training with HS-FPN. For each level: the channel weights u^CP and how
far they move from image to image, the pixel weights u^SP on objects and beside them, how large
SDP's addition is, and how much of it differs within a window. With uniform attention every pixel of
a window gets the same addition, and the last figure is 0.
"""

import argparse
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from common import where
from torch import Tensor, nn

from d2freq.analysis.model_and_data import Image, Subject, choose, load_subject

COLUMNS = ("u^CP, mean", "5 % to 95 %", "sd over images", "u^SP on objects", "beside them")
COLUMNS += ("SDP / map, rms", "SDP within windows, %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--images", type=int, default=20)
    args = parser.parse_args()
    print(f"{where()}\n")
    print(f"| {' | '.join(('run', 'level', *COLUMNS))} |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for run in args.runs:
        for level, cells in measure(run, args.images).items():
            print(f"| {run.name} | P{level} | {' | '.join(cells)} |", flush=True)


def measure(run: Path, images: int) -> dict[int, list[str]]:
    """Level -> the cells of COLUMNS, means over images."""
    overrides = ["MODEL.DEVICE", "cpu"]
    weights = str(run / "model_final.pth")
    subject = load_subject(str(run / "config.yaml"), overrides, weights=weights)
    found: dict[str, dict[int, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for record in choose(subject.records, images):
        _look(subject, subject.image(record), found)
    return {level: _cells(found, level) for level in sorted(found["channel"])}


def _look(subject: Subject, image: Image, found: dict) -> None:
    """Add what the modules of the neck make of one image."""
    backbone: Any = subject.model.backbone
    outputs: dict[str, tuple] = {}
    with ExitStack() as hooks, torch.no_grad():
        for name, module in backbone.named_modules():
            if name.startswith(("fpn_hfp", "fpn_sdp")):
                hooks.callback(module.register_forward_hook(_keep(outputs, name)).remove)
        backbone(subject.model.preprocess_image([image.inputs]).tensor)
    for level in (2, 3, 4, 5):
        if f"fpn_hfp{level}.channel_path" in outputs:
            weights = outputs[f"fpn_hfp{level}.channel_path"][1]
            found["channel"][level].append(weights.flatten())
        if f"fpn_hfp{level}.spatial_path" in outputs:
            gate = outputs[f"fpn_hfp{level}.spatial_path"][1].mean(1)[0]
            inside = _inside(gate.shape, image.boxes / 2**level)
            if inside.any():
                found["objects"][level].append(gate[inside].mean())
            found["beside"][level].append(gate[~inside].mean())
        if f"fpn_sdp{level}" in outputs:
            (x, _, grid), out = outputs[f"fpn_sdp{level}"]
            added = (out - x)[0]
            found["size"][level].append(added.square().mean().sqrt() / x.square().mean().sqrt())
            windows = added.unflatten(1, (grid, -1)).unflatten(3, (grid, -1))  # (C, g, r, g, s)
            rest = windows - windows.mean((2, 4), keepdim=True)
            found["within"][level].append(100 * rest.square().mean() / added.square().mean())


def _keep(outputs: dict[str, tuple], name: str) -> Any:
    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        outputs[name] = (inputs, output)

    return hook


def _inside(shape: torch.Size, boxes: Tensor) -> Tensor:
    """(H, W) bool: cells whose middle lies in a box, and the cell at each box's middle."""
    inside = torch.zeros(shape, dtype=torch.bool)
    for x0, y0, x1, y1 in boxes.tolist():
        rows = slice(max(0, round(y0)), max(round(y1), int((y0 + y1) / 2) + 1))
        inside[rows, max(0, round(x0)) : max(round(x1), int((x0 + x1) / 2) + 1)] = True
    return inside


def _cells(found: dict, level: int) -> list[str]:
    weights = torch.stack(found["channel"][level])
    low, high = weights.quantile(torch.tensor([0.05, 0.95])).tolist()
    cells = [f"{weights.mean():.3f}", f"{low:.3f} to {high:.3f}", f"{weights.std(0).mean():.4f}"]
    for key, form in (("objects", ".3f"), ("beside", ".3f"), ("size", ".2f"), ("within", ".1f")):
        values = found[key][level]
        cells.append(f"{torch.stack(values).mean():{form}}" if values else "-")
    return cells


if __name__ == "__main__":
    main()
