"""minid2 against the real Detectron2: one Faster R-CNN, equal weights and inputs.

    python benchmarks/hosts.py [--depth 18] [--size 256] [--repeats 15]

Needs an environment that holds Detectron2. Time is measured in one process, the hosts taking turns;
peak memory in one process a host.
"""

import argparse
import importlib

import torch
from common import ROOT, alternate, in_new_process, peak_rss_mb, where

HOSTS = ("detectron2", "minid2")


def build(host: str, depth: int, device: str):
    """The model of _base_/faster_rcnn_R{depth}_FPN.yaml on ``host``."""
    cfg = importlib.import_module(f"{host}.config").get_cfg()
    cfg.merge_from_file(str(ROOT / f"configs/_base_/faster_rcnn_R{depth}_FPN.yaml"))
    cfg.merge_from_list(["MODEL.DEVICE", device, "MODEL.ROI_HEADS.NUM_CLASSES", 8])
    torch.manual_seed(0)
    return importlib.import_module(f"{host}.modeling").build_model(cfg)


def make_batch(host: str, size: int, count: int = 100) -> list[dict]:
    """Two random images of ``size`` with ``count`` boxes of 4 to 24 px each."""
    structures = importlib.import_module(f"{host}.structures")
    generator = torch.Generator().manual_seed(0)
    batch = []
    for _ in range(2):
        corner = torch.rand(count, 2, generator=generator) * (size - 26)
        extent = 4 + 20 * torch.rand(count, 2, generator=generator)
        target = structures.Instances((size, size))
        target.gt_boxes = structures.Boxes(torch.cat([corner, corner + extent], dim=1))
        target.gt_classes = torch.randint(8, (count,), generator=generator)
        image = torch.randint(256, (3, size, size), generator=generator, dtype=torch.uint8)
        batch.append({"image": image, "instances": target})
    return batch


def train_step(host: str, model, batch):
    """A closure of one step: forward, backward, SGD."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    storage = importlib.import_module(f"{host}.utils.events").EventStorage

    def step():
        model.train()
        with storage():
            loss = sum(model(batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def infer(model, batch):
    """A closure of one inference."""

    def run():
        model.eval()
        with torch.no_grad():
            return model(batch)

    return run


def main() -> None:
    """Print one markdown row each for training, inference and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=18, choices=(18, 50))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--memory-of", choices=HOSTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        model = build(args.memory_of, args.depth, args.device)
        step = train_step(args.memory_of, model, make_batch(args.memory_of, args.size))
        for _ in range(4):
            step()
        cuda = args.device == "cuda"
        print(torch.cuda.max_memory_allocated() / 2**20 if cuda else peak_rss_mb())
        return

    models = {host: build(host, args.depth, args.device) for host in HOSTS}
    models["minid2"].load_state_dict(models["detectron2"].state_dict())
    batches = {host: make_batch(host, args.size) for host in HOSTS}
    print(f"Faster R-CNN R{args.depth} FPN, 2 images {args.size} x {args.size}; {where()}")
    print("\n| what | Detectron2 | minid2 | ratio |\n|---|---|---|---|")
    steps = {host: train_step(host, models[host], batches[host]) for host in HOSTS}
    runs = {host: infer(models[host], batches[host]) for host in HOSTS}
    for name, sides in (("training step, s", steps), ("inference, s", runs)):
        real, ours = alternate(sides, repeats=args.repeats).values()
        print(f"| {name} | {real:.4f} | {ours:.4f} | {ours / real:.3f} |")
    same = [f"--depth={args.depth}", f"--size={args.size}", f"--device={args.device}"]
    real, ours = (float(in_new_process(__file__, *same, f"--memory-of={h}")) for h in HOSTS)
    print(f"| peak memory of training, MB | {real:.0f} | {ours:.0f} | {ours / real:.3f} |")


if __name__ == "__main__":
    main()
