"""Losses of boxes in pairs against loops over numbers, torchvision and finite differences."""

import math

import pytest
import torch
from torchvision.ops import box_iou

from d2freq.ops.box_losses import aligned_iou, iou_loss, nwd_loss


def pairs(seed, count=40):
    """Boxes of 1 to 16 pixels, most of which overlap their partner a little."""
    draw = torch.Generator().manual_seed(seed)
    corners = torch.rand(2, count, 2, generator=draw, dtype=torch.float64) * 10
    sides = torch.rand(2, count, 2, generator=draw, dtype=torch.float64) * 15 + 1
    return torch.cat([corners, corners + sides], dim=2)


def naive_iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    area, another = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return common / (area + another - common)


def naive_nwd(one, other, constant=12.7):
    x, y, w, h = (
        (one[0] + one[2] - other[0] - other[2]) / 2,
        (one[1] + one[3] - other[1] - other[3]) / 2,
        one[2] - one[0] - other[2] + other[0],
        one[3] - one[1] - other[3] + other[1],
    )
    return math.exp(-math.sqrt(x * x + y * y + (w * w + h * h) / 4 + 1e-6) / constant)


@pytest.mark.parametrize("seed", range(100))
def test_losses_of_tiny_boxes_equal_loops(seed):
    first, second = pairs(seed)
    expected = torch.tensor([naive_iou(*pair) for pair in zip(first, second, strict=True)])
    torch.testing.assert_close(aligned_iou(first, second), expected.double())
    torch.testing.assert_close(aligned_iou(first, second), box_iou(first, second).diagonal())
    torch.testing.assert_close(iou_loss(first, second, "sum"), (1 - expected.double()).sum())
    expected = [naive_nwd(*pair) for pair in zip(first.tolist(), second.tolist(), strict=True)]
    found = nwd_loss(first, second)
    torch.testing.assert_close(found, 1 - torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("loss", [iou_loss, nwd_loss])
def test_gradients_are_those_of_finite_differences(loss):
    first, second = pairs(0, count=6)
    assert torch.autograd.gradcheck(loss, (first.requires_grad_(), second.requires_grad_()))


@pytest.mark.parametrize("loss", [iou_loss, nwd_loss])
def test_boxes_without_area_and_no_boxes(loss):
    point = torch.tensor([[3.0, 3, 3, 3]], requires_grad=True)
    value = loss(point, torch.tensor([[5.0, 5, 5, 5]]), "sum")
    value.backward()
    assert value > 0 and point.grad.isfinite().all()
    none = torch.zeros(0, 4, requires_grad=True)
    assert loss(none, torch.zeros(0, 4)).shape == (0,)
    for reduction in ("sum", "mean"):
        loss(none, torch.zeros(0, 4), reduction).backward()
        assert loss(none, torch.zeros(0, 4), reduction) == 0
    with pytest.raises(ValueError, match="'avg': choose none, sum or mean"):
        loss(none, none, "avg")
