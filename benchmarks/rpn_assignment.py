"""What the RPN's rules of assignment leave tiny objects: MaxIoU as published, and Detectron2's.

Objects are those of generated scenes: the first ``--images`` pictures of ``--size`` pixels of the
split val, seed 0, drawn by ``d2freq.data.scenes``. Anchors are those of the Faster R-CNN of each
family of configs at that size: of 2 x the stride in five shapes (configs/hs_fpn) and of 8 x in
three (configs/set). No model is built and nothing is drawn at random beside the scenes. An object
counts as having a positive anchor if an anchor learns it. Prints a markdown table.
"""

import argparse

import torch
from common import ROOT, where

from d2freq import add_d2freq_config  # chooses the host of what follows

# isort: split
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling.anchor_generator import build_anchor_generator
from detectron2.modeling.matcher import Matcher
from detectron2.structures import Boxes, pairwise_iou
from tabulate import tabulate
from torch import Tensor

from d2freq.data.scenes.scene import render_scene
from d2freq.modeling.assignment import MaxIoUAssigner

STRIDES = (4, 8, 16, 32, 64)
FAMILIES = {"configs/hs_fpn, scale 2": "hs_fpn", "configs/set, scale 8": "set"}
SIZES = {"2 to 8 px": (2, 8), "8 to 16 px": (8, 16)}  # root of the area
RULES = {
    "published (MaxIoURPN)": MaxIoUAssigner(),
    "Detectron2 (RPN)": lambda truth, anchors: Matcher(
        [0.3, 0.7], [0, -1, 1], allow_low_quality_matches=True
    )(pairwise_iou(Boxes(truth), Boxes(anchors))),
}


def objects(image: int, size: int) -> Tensor:
    """(N, 4) XYXY of a scene."""
    corner, sides = (
        torch.tensor(render_scene(0, "val", image, size).boxes).reshape(-1, 4).split(2, dim=1)
    )
    return torch.cat((corner, corner + sides), dim=1)


def anchors_of(family: str, size: int) -> Tensor:
    """(M, 4) XYXY of P2 to P6 together."""
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.merge_from_file(str(ROOT / f"configs/{family}/faster_rcnn_R50_FPN_aitod.yaml"))
    levels = [ShapeSpec(channels=1, stride=stride) for stride in STRIDES]
    maps = [torch.zeros(1, 1, -(-size // stride), -(-size // stride)) for stride in STRIDES]
    return Boxes.cat(build_anchor_generator(cfg, levels)(maps)).tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--size", type=int, default=800, help="pixels a side")
    arguments = parser.parse_args()
    scenes = [objects(image, arguments.size) for image in range(arguments.images)]
    sides = [(scene[:, 2:] - scene[:, :2]).prod(dim=1).sqrt() for scene in scenes]
    rows = []
    for title, family in FAMILIES.items():
        anchors = anchors_of(family, arguments.size)
        for rule, assign in RULES.items():
            found = dict.fromkeys([*SIZES, "positives"], 0)
            counts = dict.fromkeys(SIZES, 0)
            for truth, side in zip(scenes, sides, strict=True):
                matches, labels = assign(truth, anchors)
                positive = labels == 1
                found["positives"] += int(positive.sum())
                learned = torch.zeros(len(truth), dtype=torch.bool)
                learned[matches[positive]] = True
                for name, (low, high) in SIZES.items():
                    inside = (side >= low) & (side < high)
                    counts[name] += int(inside.sum())
                    found[name] += int((inside & learned).sum())
            shares = [f"{found[name]} of {counts[name]}" for name in SIZES]
            rows.append([title, rule, *shares, found["positives"]])
    total = sum(map(len, scenes))
    print(f"{arguments.images} scenes of {arguments.size} px, {total} objects; {where()}\n")
    print(tabulate(rows, ["anchors", "rule", *SIZES, "all positives"], tablefmt="github"))


if __name__ == "__main__":
    main()
