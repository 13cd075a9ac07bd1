"""Memory of one training step with 3,000 objects in an image of 800 pixels, detector by detector.

    python benchmarks/crowd_step.py [--objects N] [--only WORD]

Each detector is a small one of configs/ (ResNet-18, P2 to P6), in a process of its own, once with a
single object and once with the crowd. Memory is the peak over forward and backward pass less that
after the model is built: activations, gradients, matching and losses. "as the host" is the model
that Detectron2's build_model makes, "lean" what d2freq trains (d2freq.modeling.assignment.lean).
"""

import argparse
import json
import subprocess
import sys
import time

import torch
from common import ROOT, peak_mb, where

import d2freq  # noqa: F401  chooses the host

# isort: split
from crowd_memory import crowd
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage
from tabulate import tabulate

from d2freq.engine import load_yaml
from d2freq.modeling.assignment import lean

FASTER = "demo/faster_rcnn_R18_FPN_scenes"
FCOS, ATSS = "set/fcos_R18_FPN_scenes", "detectors/atss_R18_FPN_scenes"
PAA, AUTO = "detectors/paa_R18_FPN_scenes", "detectors/auto_assign_R18_FPN_scenes"
RPN = "MODEL.PROPOSAL_GENERATOR.NAME"
RETINANET = (
    "MODEL.META_ARCHITECTURE RetinaNet MODEL.BACKBONE.NAME "
    "build_d2freq_retinanet_resnet_fpn_backbone MODEL.RETINANET.IN_FEATURES p2,p3,p4,p5,p6 "
    "MODEL.RETINANET.NUM_CONVS 2 MODEL.RETINANET.NUM_CLASSES 5"
)


def around(name: str) -> str:
    return f"MODEL.META_ARCHITECTURE SET MODEL.SET.DETECTOR {name}"


CASES = {
    "Faster R-CNN": (FASTER, ""),
    "Faster R-CNN, MaxIoU": (FASTER, f"{RPN} MaxIoURPN"),
    "Faster R-CNN, NWD": (FASTER, f"{RPN} NWDRPN"),
    "Faster R-CNN, RFLA": (
        FASTER,
        f"{RPN} RFLARPN MODEL.ANCHOR_GENERATOR.NAME RFLAAnchorGenerator",
    ),
    "Cascade R-CNN": (
        FASTER,
        "MODEL.ROI_HEADS.NAME CascadeROIHeads MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG True",
    ),
    "Faster R-CNN with SET": (FASTER, around("GeneralizedRCNN")),
    "Faster R-CNN, SAC and RFP": ("detectors/faster_rcnn_R18_SAC_RFP_scenes", ""),
    "Faster R-CNN with Cascade RPN": ("detectors/cascade_rpn_R18_FPN_scenes", ""),
    "Grid R-CNN": ("detectors/grid_rcnn_R18_FPN_scenes", ""),
    "RetinaNet": (FASTER, RETINANET),
    "RetinaNet with SET": (
        FASTER,
        RETINANET.replace("MODEL.META_ARCHITECTURE RetinaNet", around("RetinaNet")),
    ),
    "FCOS": (FCOS, ""),
    "FCOS with SET": (FCOS, around("FCOS")),
    "ATSS": (ATSS, ""),
    "ATSS with SET": (ATSS, around("ATSS")),
    "PAA": (PAA, ""),
    "PAA with SET": (PAA, around("PAA")),
    "AutoAssign": (AUTO, ""),
    "AutoAssign with SET": (AUTO, around("AutoAssign")),
}


def measure(case: str, way: str, count: int) -> dict:
    """One step in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    file, words = CASES[case]
    options = [part.split(",") if "," in part else part for part in words.split()]
    cfg = load_yaml(str(ROOT / f"configs/{file}.yaml"), ["MODEL.DEVICE", "cpu", *options])
    model = build_model(cfg).train()
    if way == "lean":
        lean(model)
    truth = crowd(count)
    truth.gt_classes %= 5
    image = torch.randint(0, 256, (3, 800, 800), dtype=torch.uint8)
    before, began = peak_mb("cpu", reset=True), time.process_time()
    with EventStorage():
        losses = model([{"image": image, "instances": truth}])
    sum(losses.values()).backward()
    return {
        "memory": peak_mb("cpu") - before,
        "seconds": time.process_time() - began,
        "loss": float(sum(losses.values()).detach()),
    }


def in_process(case: str, way: str, count: int) -> dict:
    words = [sys.executable, __file__, "--case", case, way, str(count)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{case}, {way}, {count} objects: no result\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=3000)
    parser.add_argument("--only", default="", help="detectors whose name has this word")
    parser.add_argument("--host", action="store_true", help="the host's own matching, too")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        case, way, count = args.case
        print(json.dumps(measure(case, way, int(count))))
        return
    rows = []
    for case in filter(lambda name: args.only in name, CASES):
        for way in ("as the host", "lean") if args.host else ("lean",):
            one, all_ = (in_process(case, way, count) for count in (1, args.objects))
            sizes = [one["memory"], all_["memory"], all_["memory"] - one["memory"]]
            rows.append(
                [case, way, *(f"{size:.0f}" for size in sizes)]
                + [f"{all_['seconds']:.1f}", f"{all_['loss']:.6f}"]
            )
            print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    headers = ["detector", "matching", "1 object, MB", f"{args.objects} objects, MB", "more, MB"]
    print(tabulate(rows, [*headers, "s of processor", "loss"], tablefmt="github"))
    print(where())


if __name__ == "__main__":
    main()
