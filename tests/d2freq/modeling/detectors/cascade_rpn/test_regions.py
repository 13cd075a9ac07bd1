"""The region assigner against a loop over objects and cells."""

import math

import numpy as np
import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.detectors.cascade_rpn import RegionAssigner

STRIDES = (4, 8, 16, 32, 64)


def shapes(side: int) -> list[tuple[int, int]]:
    return [(-(-side // stride), -(-side // stride)) for stride in STRIDES]


def edges(box, share, stride, shape):
    """First and last column and row of the middle of a box, in float32 as the assigner has it."""
    f = np.float32
    r, box = f((1 - share) / 2), [f(value) / f(stride) for value in box]
    left, top = (np.round((f(1) - r) * box[k] + r * box[k + 2]) for k in (0, 1))
    right, bottom = (np.round(r * box[k] + (f(1) - r) * box[k + 2]) for k in (0, 1))
    height, width = shape
    xs, ys = (
        [min(max(v, 0), limit) for v in pair]
        for pair, limit in (((left, right), width), ((top, bottom), height))
    )
    return xs[0], ys[0], xs[1], ys[1]


def loop(truth, maps, scale, center=0.2, ignore=0.5):
    """Owners of all cells: a number, -1 for ignored, None for negative."""
    owners = [[[None] * width for _ in range(height)] for height, width in maps]

    def paint(level, box, share, value):
        left, top, right, bottom = edges(box, share, STRIDES[level], maps[level])
        for i, row in enumerate(owners[level]):
            for j in range(len(row)):
                if left <= j <= right and top <= i <= bottom:
                    row[j] = value

    levels = []
    for number, box in enumerate(truth.tolist()):
        size = math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        level = math.floor(math.log2(max(size, 1e-9) / (scale * 4)) + 0.5)
        levels.append(min(max(level, 0), len(maps) - 1))
        paint(levels[-1], box, ignore, -1)
        paint(levels[-1], box, center, number)
    for box, level in zip(truth.tolist(), levels, strict=True):
        for beside in (level - 1, level + 1):
            if 0 <= beside < len(maps):
                paint(beside, box, ignore, -1)
    return [owner for level in owners for row in level for owner in row]


def found(truth, side, scale):
    matches, labels = RegionAssigner()(
        truth, shapes=shapes(side), strides=STRIDES, smallest=float(scale * 4)
    )
    assert matches.dtype == torch.int64 and labels.dtype == torch.int8
    assert len(matches) == len(labels) == sum(h * w for h, w in shapes(side))
    pairs = zip(matches.tolist(), labels.tolist(), strict=True)
    return [match if label == 1 else {0: None, -1: -1}[label] for match, label in pairs]


@pytest.mark.parametrize(
    ("scale", "positive", "ignored"),
    [
        (8, [{263: 0, 264: 0, 265: 0, 530: 1, 531: 1, 562: 1, 563: 1}, {}, {}], [12, 7, 0]),
        (2, [{530: 1, 531: 1, 562: 1, 563: 1}, {68: 0}, {}], [15, 6, 1]),
    ],
)
def test_vector_of_the_published_code(scale, positive, ignored):
    owners = found(torch.tensor([[20.0, 24, 44, 40], [70.0, 60, 80, 71]]), 128, scale)
    start = 0
    for level, wanted in enumerate(positive):
        count = (128 // STRIDES[level]) ** 2
        own = owners[start : start + count]
        assert {k: v for k, v in enumerate(own) if v is not None and v >= 0} == wanted
        assert own.count(-1) == ignored[level]
        start += count


@pytest.mark.parametrize("scale", [2, 8])
def test_a_hundred_random_cases_of_tiny_boxes(scale, tiny_boxes):
    several = 0
    for seed in range(100):
        truth = tiny_boxes(seed, 1 + seed % 9, 64)
        if seed % 5 == 0:  # ties of rounding
            truth = (truth / 2).round() * 2
        owners = found(truth, 64, scale)
        assert owners == loop(truth, shapes(64), scale), seed
        several += len({owner for owner in owners if owner is not None and owner >= 0}) > 1
    assert several > 40


def test_an_object_alone_always_has_a_cell(tiny_boxes):
    for box in tiny_boxes(3, 40, 60):
        assert 0 in found(box[None], 64, 2)


def test_no_objects_are_all_negative():
    assert set(found(torch.zeros(0, 4), 64, 2)) == {None}


def test_three_thousand_objects(tiny_boxes):
    """Every object without another near it has its cell; the order decides between the rest."""
    truth = tiny_boxes(0, 3000, 800)
    owners = found(truth, 800, 2)
    positive = [owner for owner in owners if owner is not None and owner >= 0]
    assert len(set(positive)) > 500 and max(positive) > 2900
    # the last one is overwritten by regions a level above and below alone
    alone = [owner for owner in found(truth[-1:], 800, 2) if owner == 0]
    assert positive.count(2999) <= len(alone)


def test_boxes_without_area_count_on_the_finest_level():
    owners = found(torch.tensor([[8.0, 8, 8, 8]]), 64, 2)
    assert owners[2 * 16 + 2] == 0


@pytest.mark.parametrize("shares", [(0.6, 0.5), (-0.1, 0.5), (0.2, 1.5)])
def test_shares_out_of_range(shares):
    with pytest.raises(UserError, match="CENTER_RATIO, IGNORE_RATIO.*two shares from 0 to 1"):
        RegionAssigner(center_ratio=shares[0], ignore_ratio=shares[1])


def test_a_coordinate_that_is_no_number():
    with pytest.raises(UserError, match="box 1 of 2 .*NaN or infinite"):
        found(torch.tensor([[0.0, 0, 4, 4], [0.0, 0, float("nan"), 4]]), 64, 2)
