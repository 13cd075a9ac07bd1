"""Peak memory and time of matching 3,000 objects to the anchors of an image of 800 pixels.

    python benchmarks/crowd_memory.py

159,882 anchors (P2 to P6, three shapes) of Detectron2's RPN, and the 53,294 points of its FCOS:
as the host does it, and in chunks of objects. Each case is a process of its own; memory is its peak
less that before the matching. Labels are compared by their checksums.
"""

import argparse
import json
import subprocess
import sys
import time
import zlib

import torch
from common import peak_mb, where

import d2freq  # chooses the host

# isort: split
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling.proposal_generator import RPN
from detectron2.structures import Boxes, Instances
from tabulate import tabulate

from d2freq.modeling.assignment import lean
from d2freq.modeling.detectors.fcos import FCOS
from d2freq.modeling.detectors.fcos.meta_arch import PlainFCOS

STRIDES = (4, 8, 16, 32, 64)


def crowd(count: int) -> Instances:
    """Tiny objects in an image of 800 pixels."""
    draw = torch.Generator().manual_seed(0)
    corners = torch.rand(count, 2, generator=draw) * 780
    sides = torch.rand(count, 2, generator=draw) * 18 + 2
    found = Instances((800, 800))
    found.gt_boxes = Boxes(torch.cat([corners, corners + sides], dim=1))
    found.gt_classes = torch.arange(count) % 8
    return found


def rpn() -> RPN:
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.MODEL.RPN.IN_FEATURES = [f"p{level}" for level in range(2, 7)]
    cfg.MODEL.ANCHOR_GENERATOR.SIZES = [[2 * stride] for stride in STRIDES]
    shapes = {f"p{n}": ShapeSpec(channels=8, stride=s) for n, s in enumerate(STRIDES, start=2)}
    return RPN(cfg, shapes)


def fcos() -> FCOS:
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.MODEL.BACKBONE.NAME = "build_mobilenetv2_hsfpn_backbone"
    cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.OUT_CHANNELS = 32
    cfg.MODEL.FCOS.IN_FEATURES = [f"p{level}" for level in range(2, 7)]
    return FCOS(cfg)


def measure(model: str, chunks: bool, count: int) -> dict:
    torch.set_num_threads(1)
    maps = [torch.zeros(1, 8, -(-800 // stride), -(-800 // stride)) for stride in STRIDES]
    truth = crowd(count)
    detector = rpn() if model == "RPN" else fcos()
    anchors = detector.anchor_generator(maps)
    torch.manual_seed(0)
    before, began = peak_mb("cpu", reset=True), time.perf_counter()
    if model == "RPN":
        labels, _ = (lean(detector) if chunks else detector).label_and_sample_anchors(
            anchors, [truth]
        )
    elif chunks:
        labels, _ = detector.label_anchors(anchors, [truth])
    else:  # as d2freq's FCOS, smallest first, in one piece
        ordered = truth[truth.gt_boxes.area().argsort(stable=True)]
        labels, _ = PlainFCOS.label_anchors(detector, anchors, [ordered])
    seconds = time.perf_counter() - began
    return {
        "anchors": sum(map(len, anchors)),
        "memory": peak_mb("cpu") - before,
        "seconds": seconds,
        "labels": zlib.crc32(labels[0].numpy().tobytes()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=3000)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(measure(args.case[0], args.case[1] == "chunks", args.objects)))
        return
    rows = []
    for model in ("RPN", "FCOS"):
        for way in ("whole", "chunks"):
            words = [sys.executable, __file__, "--objects", str(args.objects), "--case", model, way]
            found = subprocess.run(words, capture_output=True, text=True)
            if found.returncode:
                rows.append([model, way, "", "", "", "no result: out of memory?"])
                continue
            got = json.loads(found.stdout.splitlines()[-1])
            memory, seconds = f"{got['memory']:.0f}", f"{got['seconds']:.1f}"
            rows.append([model, way, got["anchors"], memory, seconds, f"{got['labels']:08x}"])
    headers = ["model", "matrix", "anchors", "memory, MB", "s", "labels, crc32"]
    print(tabulate(rows, headers, tablefmt="github"))
    print(where())


if __name__ == "__main__":
    main()
