"""A full training step of one config against another's: time, and peak memory.

    python benchmarks/training_step.py                       # Cascade R-CNN R50: HS-FPN / FPN
    python benchmarks/training_step.py --compile --dtype bfloat16
    python benchmarks/training_step.py --config A.yaml --against B.yaml [KEY VALUE ...]

Random images with boxes of 4 to 24 px. Time is measured in one process, the two taking turns;
peak memory in a process of its own each: of torch's allocator on a GPU, of the process on a CPU.
"""

import argparse
from collections.abc import Callable

import torch
from common import ROOT, alternate, in_new_process, peak_mb, where

from d2freq.engine import load_yaml  # chooses the host of what follows

# isort: split
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

FOLDER = ROOT / "configs" / "hs_fpn"


def make_batch(count: int, size: int, classes: int) -> list[dict]:
    """``count`` images of ``size`` with 100 boxes each."""
    generator = torch.Generator().manual_seed(0)
    batch = []
    for _ in range(count):
        corner = torch.rand(100, 2, generator=generator) * (size - 26)
        extent = 4 + 20 * torch.rand(100, 2, generator=generator)
        target = Instances((size, size))
        target.gt_boxes = Boxes(torch.cat([corner, corner + extent], dim=1))
        target.gt_classes = torch.randint(classes, (100,), generator=generator)
        image = torch.randint(256, (3, size, size), generator=generator, dtype=torch.uint8)
        batch.append({"image": image, "instances": target})
    return batch


def train_step(config: str, args: argparse.Namespace) -> Callable[[], None]:
    """A closure of one step: forward, backward, SGD; float16 with a gradient scaler."""
    cfg = load_yaml(config, args.overrides)
    cfg.MODEL.DEVICE = args.device
    torch.manual_seed(0)
    model = build_model(cfg).train()
    if args.compile:
        model.backbone.compile()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    scaler = torch.amp.GradScaler(args.device, enabled=args.dtype == "float16")
    mixed = torch.autocast(args.device, getattr(torch, args.dtype), enabled=args.dtype != "float32")
    # class 0 exists in every detector, and the loss costs the same for all
    batch = make_batch(args.batch, args.size, classes=1)

    def step() -> None:
        with EventStorage(), mixed:
            loss = sum(model(batch).values())
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


def main() -> None:
    """Print one markdown row a config."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default=str(FOLDER / "cascade_rcnn_R50_HSFPN_aitod.yaml"))
    parser.add_argument("--against", default=str(FOLDER / "cascade_rcnn_R50_FPN_aitod.yaml"))
    parser.add_argument("--size", type=int, default=800)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--compile", action="store_true", help="the backbone, neck included")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", help="KEY VALUE, for both configs")
    args = parser.parse_intermixed_args()
    if args.memory_of:
        step = train_step(args.memory_of, args)
        step()
        step()
        print(peak_mb(args.device))
        return

    configs = (args.against, args.config)
    seconds = alternate({c: train_step(c, args) for c in configs}, repeats=args.repeats)
    words = [f"--size={args.size}", f"--batch={args.batch}", f"--dtype={args.dtype}"]
    words += [f"--device={args.device}", *(["--compile"] if args.compile else []), *args.overrides]
    peaks = {c: float(in_new_process(__file__, f"--memory-of={c}", *words)) for c in configs}
    print(f"{args.batch} x {args.size} px, {args.dtype}{', compiled' if args.compile else ''}")
    print(f"{where()}\n\n| config | step, s | peak MB | time ratio | memory ratio |")
    print("|---|---|---|---|---|")
    for config in configs:
        time_ratio = seconds[config] / seconds[args.against]
        name = config.removeprefix(f"{ROOT}/configs/")
        print(
            f"| {name} | {seconds[config]:.4f} | {peaks[config]:.0f} | {time_ratio:.2f} "
            f"| {peaks[config] / peaks[args.against]:.2f} |"
        )


if __name__ == "__main__":
    main()
