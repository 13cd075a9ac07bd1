"""Random objects for denoising, matching and losses, and DINO's terms in Python's floats."""

import math
from types import SimpleNamespace

import pytest
import torch

EPS = 1e-8


def random_objects(counts, *, classes=4, seed=0, largest=0.3):
    """For each image (class ids, boxes as shares of the picture), tiny ones among them."""
    random = torch.Generator().manual_seed(seed)
    labels, boxes = [], []
    for count in counts:
        labels.append(torch.randint(classes, (count,), generator=random))
        sides = torch.rand(count, 2, generator=random).square() * largest + 1e-3
        centres = torch.rand(count, 2, generator=random) * (1 - sides) + sides / 2
        boxes.append(torch.cat((centres, sides), dim=1))
    return labels, boxes


def giou(first, second):
    ax, ay, aw, ah = first
    bx, by, bw, bh = second
    width = min(ax + aw / 2, bx + bw / 2) - max(ax - aw / 2, bx - bw / 2)
    height = min(ay + ah / 2, by + bh / 2) - max(ay - ah / 2, by - bh / 2)
    both = max(width, 0) * max(height, 0)
    either = aw * ah + bw * bh - both
    wide = max(ax + aw / 2, bx + bw / 2) - min(ax - aw / 2, bx - bw / 2)
    high = max(ay + ah / 2, by + bh / 2) - min(ay - ah / 2, by - bh / 2)
    return both / either - (wide * high - either) / (wide * high)


def distance(first, second):
    return sum(abs(a - b) for a, b in zip(first, second, strict=True))


def focal(logit, truth, alpha=0.25, gamma=2.0):
    share = 1 / (1 + math.exp(-logit))
    if truth:
        return -alpha * (1 - share) ** gamma * math.log(share)
    return -(1 - alpha) * share**gamma * math.log(1 - share)


def class_cost(logit, alpha=0.25, gamma=2.0):
    share = 1 / (1 + math.exp(-logit))
    found = -alpha * (1 - share) ** gamma * math.log(share + EPS)
    return found + (1 - alpha) * share**gamma * math.log(1 - share + EPS)


@pytest.fixture(scope="session")
def naive():
    return SimpleNamespace(
        objects=random_objects,
        giou=giou,
        distance=distance,
        focal=focal,
        class_cost=class_cost,
    )
