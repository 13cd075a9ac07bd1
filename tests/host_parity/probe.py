"""Run as a program under one host: what each config builds, loses and detects, as a file.

python probe.py OUT --configs NAME... [--weights DIR]    with D2FREQ_HOST=detectron2 or minid2

With --weights, the models load the checkpoints that another run of this program has saved there.
"""

import argparse
import hashlib
import os
from pathlib import Path

import torch

import d2freq  # chooses the host

# isort: split
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import LazyConfig
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances, PolygonMasks
from detectron2.utils.events import EventStorage

from d2freq.engine import load_yaml

# Untrained, a dense detector would score every anchor below the threshold.
PRIOR = 0.1
CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def inputs(num_classes: int) -> list[dict]:
    """Two random images of unequal, awkward size: triangles on the first, nothing on the second."""
    generator = torch.Generator().manual_seed(3)
    batch = []
    for (height, width), count in (((96, 131), 7), ((70, 64), 0)):
        corner = torch.rand(count, 2, generator=generator) * torch.tensor([width - 20, height - 20])
        size = 3 + torch.rand(count, 2, generator=generator) * 14
        target = Instances((height, width))
        target.gt_boxes = Boxes(torch.cat([corner, corner + size], dim=1))
        target.gt_classes = torch.randint(num_classes, (count,), generator=generator)
        triangles = target.gt_boxes.tensor[:, [0, 1, 2, 1, 2, 3]]
        target.gt_masks = PolygonMasks([[triangle] for triangle in triangles])
        image = torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)
        batch.append(
            {"image": image, "instances": target, "height": 2 * height, "width": 2 * width}
        )
    return batch


def build(name: str) -> tuple[torch.nn.Module, int]:
    """The model of a config and its number of classes."""
    file = CONFIGS / f"{name}.yaml"
    priors = [f"MODEL.{kind}.PRIOR_PROB" for kind in ("RETINANET", "FCOS")]
    options = [word for key in priors for word in (key, str(PRIOR))]
    # The score of FCOS is a product with centerness, some half of the probability.
    options += ["MODEL.FCOS.SCORE_THRESH_TEST", 0.01]
    cfg = load_yaml(str(file), ["MODEL.DEVICE", "cpu", *options])
    kind = cfg.MODEL.META_ARCHITECTURE
    kind = cfg.MODEL.SET.DETECTOR if kind == "SET" else kind
    one_stage = {"RetinaNet": cfg.MODEL.RETINANET, "FCOS": cfg.MODEL.FCOS}
    return build_model(cfg), one_stage.get(kind, cfg.MODEL.ROI_HEADS).NUM_CLASSES


def digest(value: torch.Tensor) -> tuple[str, tuple[int, ...], str]:
    """Type, shape and a hash of the bytes: all weights of all configs would be gigabytes."""
    content = value.contiguous().numpy().tobytes()
    return str(value.dtype), tuple(value.shape), hashlib.sha256(content).hexdigest()


def examine(name: str, checkpoint: Path | None, save_to: Path) -> dict:
    """Keys, losses, gradients and detections of one config."""
    torch.manual_seed(11)
    model, num_classes = build(name)
    initial = {key: digest(value) for key, value in model.state_dict().items()}
    if checkpoint is not None:
        DetectionCheckpointer(model).load(str(checkpoint))
    else:
        with torch.no_grad():  # zero-initialised layers would hide a difference
            for parameter in model.parameters():
                parameter += 0.001 * torch.randn_like(parameter)
        DetectionCheckpointer(model, str(save_to)).save(name.replace("/", "_"))
    batch = inputs(num_classes)
    model.eval()  # first: training moves the batch norm statistics
    with torch.no_grad():
        found = [output["instances"] for output in model(batch)]
    model.train()
    torch.manual_seed(5)
    with EventStorage():
        losses = model(batch)
    sum(losses.values()).backward()
    return {
        "initial": initial,
        "frozen": [n for n, p in model.named_parameters() if not p.requires_grad],
        "losses": {key: value.detach() for key, value in losses.items()},
        "gradients": {n: p.grad.norm() for n, p in model.named_parameters() if p.grad is not None},
        "detections": [
            {
                "image_size": f.image_size,
                "boxes": f.pred_boxes.tensor,
                "scores": f.scores,
                "classes": f.pred_classes,
                "masks": f.get_fields().get("pred_masks"),
            }
            for f in found
        ],
    }


def main() -> None:
    """Examine every config and dump the lazy twins beside the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--configs", nargs="+", required=True)
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    assert d2freq.HOST == os.environ["D2FREQ_HOST"]
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    report = {}
    for name in args.configs:
        saved = None if args.weights is None else args.weights / f"{name.replace('/', '_')}.pth"
        report[name] = examine(name, saved, args.out)
        LazyConfig.save(
            LazyConfig.load(str(CONFIGS / f"{name}.py")),
            str(args.out / f"{name.replace('/', '_')}.yaml"),
        )
    torch.save(report, args.out / "report.pt")


if __name__ == "__main__":
    main()
