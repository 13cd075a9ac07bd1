"""What it costs, and changes, that HS-FPN sees each image of a padded batch as if alone.

    python benchmarks/mixed_batch.py [--config CONFIG] [--threads 1]

A batch of images goes through backbone and neck, forward and backward, once as now, in groups of
one size, and once as a batch of which nobody knows the sizes, padding seen. Beside the ratio of
times stands how far P2 of the smallest image is, both ways, from P2 of that image alone.
"""

import argparse

import torch
from common import alternate, where
from tabulate import tabulate

import d2freq  # noqa: F401  makes 'detectron2' importable on either host
from d2freq.engine.build import config_model

BATCHES = {
    "two of one size": [(256, 256), (256, 256)],
    "two of two sizes": [(256, 256), (320, 384)],
    "four of three sizes": [(192, 320), (256, 256), (320, 384), (256, 256)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="demo/faster_rcnn_R18_HSFPN_scenes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = config_model(arguments.config)  # in evaluation mode: batch norm is no obstacle
    rows = []
    for name, sizes in BATCHES.items():
        images = [{"image": torch.rand(3, *size) * 255} for size in sizes]
        batch = model.preprocess_image(images).tensor
        sides = {
            "alone": lambda batch=batch: step(model, batch),
            "as one": lambda batch=batch: step(model, batch.clone()),  # a copy bears no note
        }
        seconds = alternate(sides, repeats=arguments.repeats, warmup=1)
        least = min(range(len(sizes)), key=lambda place: sizes[place][0] * sizes[place][1])
        with torch.no_grad():
            expected = model.backbone(model.preprocess_image([images[least]]).tensor)["p2"][0]
            height, width = expected.shape[-2:]
            errors = [
                float((model.backbone(x)["p2"][least][:, :height, :width] - expected).norm())
                / float(expected.norm())
                for x in (batch, batch.clone())
            ]
        rows.append((name, seconds["alone"] / seconds["as one"], *errors))
    headers = ("batch", "time, each alone / as one", "error of P2, each alone", "as one")
    print(tabulate(rows, headers, tablefmt="pipe", floatfmt=("", ".2f", ".1e", ".1e")))
    print(where())


def step(model: torch.nn.Module, batch: torch.Tensor) -> None:
    """Forward and backward through backbone and neck."""
    model.zero_grad()
    sum(level.square().mean() for level in model.backbone(batch).values()).backward()


if __name__ == "__main__":
    main()
