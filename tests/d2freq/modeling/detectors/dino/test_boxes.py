"""Overlaps against torchvision and against loops, down to objects of a part of a pixel."""

import torch
from torchvision.ops import box_convert, generalized_box_iou

from d2freq.modeling.detectors.dino.boxes import (
    corners,
    from_corners,
    generalized_iou,
    inverse_sigmoid,
)


def test_giou_is_torchvisions_and_the_loops(naive):
    _, (first, second) = naive.objects((40, 60), seed=1)
    first, second = first.double(), second.double()
    found = generalized_iou(corners(first)[:, None], corners(second))
    assert torch.allclose(found, generalized_box_iou(corners(first), corners(second)))
    loops = [[naive.giou(a, b) for b in second.tolist()] for a in first.tolist()]
    assert torch.allclose(found, found.new_tensor(loops), atol=1e-12)


def test_an_object_of_a_part_of_a_pixel_equals_itself():
    """Of 0.4 px in 800: an added 1e-7 would say 0.71."""
    box = torch.tensor([0.5, 0.5, 0.0005, 0.0005])
    assert generalized_iou(corners(box), corners(box)).item() > 0.999


def test_boxes_without_area_have_finite_values_and_gradients():
    boxes = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.2, 0.2, 0.0, 0.1]], requires_grad=True)
    for other in (boxes.detach(), torch.tensor([[0.5, 0.5, 0.1, 0.1]])):
        overlap = generalized_iou(corners(boxes), corners(other))
        assert ((-1 <= overlap) & (overlap <= 1)).all()
        (gradient,) = torch.autograd.grad(overlap.sum(), boxes)
        assert gradient.isfinite().all()


def test_conversions_are_each_others_inverse(naive):
    _, (boxes,) = naive.objects((50,), seed=2)
    assert torch.allclose(corners(boxes), box_convert(boxes, "cxcywh", "xyxy"))
    assert torch.allclose(from_corners(corners(boxes)), boxes, atol=1e-6)
    assert torch.allclose(inverse_sigmoid(boxes, eps=1e-5).sigmoid(), boxes, atol=1e-6)
    outside = inverse_sigmoid(torch.tensor([-1.0, 0.0, 1.0, 2.0]), eps=1e-3).sigmoid()
    assert torch.allclose(outside, torch.tensor([0.001, 0.001, 0.999, 0.999]))
