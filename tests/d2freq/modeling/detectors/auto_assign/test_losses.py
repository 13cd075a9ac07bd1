"""AutoAssign against published code with weights of zero, and a loop over all pairs."""

import math

import pytest
import torch
from detectron2.utils.events import EventStorage

from d2freq.modeling.detectors.auto_assign import CenterPrior
from d2freq.modeling.detectors.auto_assign.pairs import find_pairs

from ..atss.test_losses import sigmoid
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

NAMES = tuple(f"loss_autoassign_{part}" for part in ("pos", "neg", "center"))


def test_a_box_without_a_point_inside_costs_25_and_teaches_nothing():
    """Mmdet 3.3.0, run: 25.0, 0.002056, 0.0."""
    found = losses_at_zero("AutoAssign", [instances([[33, 33, 38, 38]], [3], size=128)])
    assert tuple(found) == NAMES
    assert [found[n] for n in NAMES] == pytest.approx([25.0, 0.002056, 0.0], abs=5e-7)
    forced = losses_at_zero(
        "AutoAssign",
        [instances([[33, 33, 38, 38]], [3], size=128)],
        *("MODEL.AUTOASSIGN.FORCE_TOPK", True),
    )
    assert forced[NAMES[0]] < 5 and forced[NAMES[2]] > 0


def test_no_objects_leave_the_background_alone():
    """losses_at_zero asserts that mean and sigma of the prior have a gradient, too."""
    found = losses_at_zero("AutoAssign", [instances([], size=128)])
    assert [found[n] for n in NAMES] == pytest.approx([0, 0.002056, 0], abs=5e-7)


def naive(model, levels, squares, predictions, truth):
    """The three losses over every pair of a point and an object."""
    logits, numbers, quality = (part.tolist() for part in predictions)
    mean, sigma = (part.tolist() for part in (model.center_prior.mean, model.center_prior.sigma))
    objects = sum(map(len, truth))
    positive = negative = prior_sum = center = 0.0
    for image, found in enumerate(truth):
        boxes, kinds = found.gt_boxes.tensor.tolist(), found.gt_classes.tolist()
        decoded, joint = [], []
        for cell, (left, top, right, bottom) in enumerate(squares):
            stride, x, y = right - left, (left + right) / 2, (top + bottom) / 2
            sides = [max(0.0, number) * stride for number in numbers[image][cell]]
            decoded.append([x - sides[0], y - sides[1], x + sides[2], y + sides[3]])
            there = sigmoid(quality[image][cell][0])
            joint.append([sigmoid(logit) * there for logit in logits[image][cell]])
        weights = [[1.0] * 8 for _ in squares]
        own = 0.0
        inside_any = False
        for box, kind in zip(boxes, kinds, strict=True):
            pairs = []
            for cell, (left, top, right, bottom) in enumerate(squares):
                stride, point = right - left, ((left + right) / 2, (top + bottom) / 2)
                if not (box[0] < point[0] < box[2] and box[1] < point[1] < box[3]):
                    continue
                g = 1.0
                for axis in (0, 1):
                    step = (point[axis] - (box[axis] + box[axis + 2]) / 2) / stride
                    step -= mean[kind][axis]
                    g *= math.exp(-(step**2) / (2 * sigma[kind][axis] ** 2))
                p = joint[cell][kind] * math.exp(-5 * (1 - giou(decoded[cell], box)))
                best = max(iou(decoded[cell], other) for other in boxes)
                pairs.append((cell, g, p, 1 / max(1 - best, 1e-12)))
            inside_any |= bool(pairs)
            total = sum(math.exp(3 * p) * g for _, g, p, _ in pairs)
            bag = sum(p * math.exp(3 * p) * g for _, g, p, _ in pairs) / max(total, 1e-12)
            positive -= max(math.log(bag), -100) if bag else -100
            own += sum(g for _, g, _, _ in pairs)
            values = [value for *_, value in pairs]
            for cell, _, _, value in pairs:
                share = (value - min(values) + 1e-12) / (max(values) - min(values) + 1e-12)
                weights[cell][kind] = 1 - share
        prior_sum += own
        center += len(boxes) / own if inside_any else 0.0
        for row, factors in zip(joint, weights, strict=True):
            for value, factor in zip(row, factors, strict=True):
                q = value * factor
                negative -= q**2 * math.log(1 - q)
    return [
        0.25 * positive / max(objects, 1),
        0.75 * negative / max(prior_sum, 1),
        0.75 * center / len(truth),
    ]


@pytest.mark.parametrize("strides", [(8, 16, 32, 64, 128), (4, 8, 16, 32, 64)])
def test_losses_equal_a_loop_over_all_pairs(strides):
    model = build("AutoAssign")
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        model.center_prior.mean.copy_(torch.randn(8, 2, generator=draw) / 3)
        model.center_prior.sigma.copy_(torch.rand(8, 2, generator=draw) + 0.5)
    size = 8 * strides[0]
    levels = grids(size, strides)
    squares = priors(levels, 1)
    lost = 0
    for seed in range(12):
        truth = [instances(tiny_boxes(n, seed, size=max(size, 40)), size=size) for n in (7, 1, 0)]
        truth[0].gt_boxes.tensor[0] = torch.tensor([1.0, 1, size - 3, size - 5])
        truth[0].gt_classes[:3] = 2  # several objects of a class share points
        predictions = random_predictions(levels, 3, seed)
        with EventStorage(), torch.no_grad():
            found = model.losses(levels, squares, *predictions, truth)
        expected = naive(model, levels, squares.tolist(), predictions, truth)
        assert [float(found[n]) for n in NAMES] == pytest.approx(expected, rel=2e-4), seed
        pairs = find_pairs(truth, levels, prior=model.center_prior)
        lost += len(pairs.boxes) - pairs.object.unique().numel()
    assert lost > 3  # some boxes hold no point


def test_the_prior_of_a_box_without_a_point_takes_the_nearest_nine():
    prior = CenterPrior(num_classes=8)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        prior.mean.copy_(torch.randn(8, 2, generator=draw) / 2)
        prior.sigma.copy_(torch.rand(8, 2, generator=draw) + 0.5)
    levels = grids(64, (8, 16, 32))
    squares = priors(levels, 1)
    centres, strides = squares[:, :2] + squares[:, 2:], squares[:, 2] - squares[:, 0]
    for seed in range(30):
        boxes = tiny_boxes(4, seed)
        classes = torch.arange(4) + seed % 4
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        points, objects = prior.highest(middles, classes, levels, 9)
        assert objects.tolist() == [n for n in range(4) for _ in range(9)]
        for number, mine in enumerate(points.view(4, 9)):
            kinds = classes[number].expand(len(squares))
            values = prior(centres / 2 - middles[number], strides, kinds)
            expected = values.sort(descending=True).values[:9]
            torch.testing.assert_close(values[mine], expected)


def test_a_crowd_of_3000_has_few_pairs_and_finite_losses():
    model, levels = build("AutoAssign"), grids(256, (4, 8, 16, 32, 64))
    truth = [instances(tiny_boxes(3000, 3, size=256), size=256)]
    pairs = find_pairs(truth, levels, prior=model.center_prior)
    assert 3000 < len(pairs.point) < 60000 < 3000 * sum(grid.cells for grid in levels) / 100
    predictions = random_predictions(levels, 1, 0)
    with EventStorage():
        losses = model.losses(levels, priors(levels, 1), *predictions, truth)
    assert all(value.isfinite() and value > 0 for value in losses.values())


def test_more_points_of_an_object_lower_its_loss():
    """The gradient moves the prior towards the points that fit."""
    model = build("AutoAssign")
    truth = [vector()]
    squares, levels = priors(grids(128), 1), grids(128)
    predictions = random_predictions(levels, 1, 2)
    with EventStorage():
        losses = model.losses(levels, squares, *predictions, truth)
    losses["loss_autoassign_center"].backward()
    # wider is better; all points of the first box lie at the height of its centre
    assert (model.center_prior.sigma.grad[3, 0], model.center_prior.sigma.grad[3, 1]) < (0, 1e-9)
    assert (model.center_prior.sigma.grad[5] < 0).all()
    untouched = [kind for kind in range(8) if kind not in (3, 5)]
    assert (model.center_prior.sigma.grad[untouched] == 0).all()
