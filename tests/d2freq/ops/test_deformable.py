"""Sampling on the CPU against torchvision's operator, and in a trace."""

import pytest
import torch
from torchvision.ops import deform_conv2d

from d2freq.ops.deformable import deformable_convolution

# (stride, dilation, height, width); a map of one cell, one row, one column, odd and even sizes
CASES = [(1, 1, 9, 11), (1, 3, 9, 11), (2, 1, 9, 12), (2, 3, 8, 7), (1, 1, 1, 1), (2, 1, 1, 1)]
CASES += [(1, 1, 1, 5), (1, 3, 5, 1)]


def case(stride, dilation, height, width, groups, spread):
    torch.manual_seed(0)
    out = -(-height // stride), -(-width // stride)
    x = torch.randn(3, 4, height, width, requires_grad=True)
    offset = (spread * torch.randn(3, 18 * groups, *out)).requires_grad_()
    return x, offset, torch.randn(5, 4, 3, 3, requires_grad=True)


@pytest.mark.parametrize(("stride", "dilation", "height", "width"), CASES)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("spread", [0.3, 4.0])  # of the offsets; the second leaves the map often
def test_it_is_torchvisions_operator(stride, dilation, height, width, groups, spread):
    of = case(stride, dilation, height, width, groups, spread)
    found = deformable_convolution(*of, stride=stride, dilation=dilation)
    wanted = deform_conv2d(*of, stride=stride, padding=dilation, dilation=dilation)
    kernel = torch.randn_like(wanted)
    ours, theirs = (torch.autograd.grad((y * kernel).sum(), of) for y in (found, wanted))
    for one, other in zip((found, *ours), (wanted, *theirs), strict=True):
        assert (one - other).abs().max() <= 1e-5 * other.abs().max().clamp(min=1)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_trace_serves_maps_of_any_size(stride):
    def function(x, offset, weight):
        return deformable_convolution(x, offset, weight, stride=stride, dilation=3)

    traced = torch.jit.trace(function, case(stride, 3, 6, 8, 1, 1.0), check_trace=False)
    for height, width in [(6, 8), (9, 5), (1, 1)]:
        given = case(stride, 3, height, width, 1, 1.0)
        wanted = deform_conv2d(*given, stride=stride, padding=3, dilation=3)
        assert torch.allclose(traced(*given), wanted, atol=1e-4)
