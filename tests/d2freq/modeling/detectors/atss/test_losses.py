"""ATSS's losses: published code with weights of zero, and a loop over anchors."""

import math

import pytest
import torch
from detectron2.utils.events import EventStorage

from ..dense.dense_cases import (
    build,
    giou,
    grids,
    instances,
    iou,
    losses_at_zero,
    priors,
    random_predictions,
    tiny_boxes,
    vector,
)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(8.0, (1.128895, 1.834753, 0.693147)), (2.0, (1.128792, 1.029823, 0.693147))],
)
def test_losses_at_zero_weights_are_those_of_mmdet(scale, expected):
    """Mmdet 3.3.0, run with torch 2.14 on the same image."""
    found = losses_at_zero("ATSS", [vector()], "MODEL.ATSS.ANCHOR_SCALE", scale)
    names = ("loss_atss_cls", "loss_atss_loc", "loss_atss_ctr")
    assert tuple(found) == names
    assert [found[name] for name in names] == pytest.approx(expected, abs=2e-6)


def test_no_objects_leave_the_background_alone():
    found = losses_at_zero("ATSS", [instances([], size=128)])
    assert found["loss_atss_loc"] == found["loss_atss_ctr"] == 0
    cells = sum(grid.cells for grid in grids(128))
    background = 8 * cells * 0.75 * 0.01**2 * -math.log(0.99)
    assert found["loss_atss_cls"] == pytest.approx(background, rel=1e-4)


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def decode(numbers, anchor):
    left, top, right, bottom = anchor
    w, h = right - left, bottom - top
    x = (left + right) / 2 + numbers[0] / 10 * w
    y = (top + bottom) / 2 + numbers[1] / 10 * h
    w, h = w * math.exp(numbers[2] / 5), h * math.exp(numbers[3] / 5)
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def nwd(one, other):
    halves = [((one[i + 2] - one[i]) - (other[i + 2] - other[i])) / 2 for i in (0, 1)]
    centres = [(one[i] + one[i + 2] - other[i] - other[i + 2]) / 2 for i in (0, 1)]
    return math.exp(-math.sqrt(sum(d * d for d in (*halves, *centres)) + 1e-6) / 12.7)


def naive(owners, anchors, predictions, truth, overlap):
    """The losses of one batch, anchor by anchor."""
    logits, numbers, quality = (part.tolist() for part in predictions)
    focal = boxes = cross = weights = 0.0
    count = 0
    for image, found in enumerate(truth):
        mine = owners[image]
        count += max(1, sum(owner >= 0 for owner in mine))
        for cell, owner in enumerate(mine):
            kind = int(found.gt_classes[owner]) if owner >= 0 else None
            for category, logit in enumerate(logits[image][cell]):
                p = sigmoid(logit)
                if category == kind:
                    focal -= 0.25 * (1 - p) ** 2 * math.log(p)
                else:
                    focal -= 0.75 * p**2 * math.log(1 - p)
            if owner < 0:
                continue
            box = found.gt_boxes.tensor[owner].tolist()
            x, y = ((anchors[cell][i] + anchors[cell][i + 2]) / 2 for i in (0, 1))
            sides = ((x - box[0], box[2] - x), (y - box[1], box[3] - y))
            central = math.sqrt(math.prod(min(pair) / max(pair) for pair in sides))
            decoded = decode(numbers[image][cell], anchors[cell])
            boxes += central * (1 - overlap(decoded, box))
            weights += central
            p = sigmoid(quality[image][cell][0])
            cross -= central * math.log(p) + (1 - central) * math.log(1 - p)
    return [focal / count, 2 * boxes / max(weights, 1), cross / count]


@pytest.mark.parametrize(("kind", "overlap"), [("giou", giou), ("iou", iou), ("nwd", nwd)])
def test_losses_equal_a_loop_over_anchors(kind, overlap):
    options = ["MODEL.ATSS.BOX_LOSS", kind, "MODEL.ATSS.ANCHOR_SCALE", 2.0]
    model, levels = build("ATSS", *options), grids(64)
    anchors = priors(levels, 2)
    assert torch.equal(anchors, boxes_of(model, levels))
    for seed in range(12):
        truth = [instances(tiny_boxes(count, seed)) for count in (6, 1, 0)]
        predictions = random_predictions(levels, 3, seed)
        with EventStorage():
            found = model.losses(levels, anchors, *predictions, truth)
        from d2freq.modeling.detectors.atss import assign_adaptively

        owners = [assign_adaptively(t.gt_boxes.tensor, anchors, levels).tolist() for t in truth]
        expected = naive(owners, anchors.tolist(), predictions, truth, overlap)
        assert [float(v) for v in found.values()] == pytest.approx(expected, rel=1e-4)


def boxes_of(model, levels):
    maps = [torch.zeros(1, 1, *grid[1:]) for grid in levels]
    return torch.cat([level.tensor for level in model.anchor_generator(maps)])
