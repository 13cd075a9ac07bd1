"""The deformable convolution of DeRefNet and TDAN, against torchvision's and by hand."""

import pytest
import torch
from torchvision.ops import deform_conv2d

from d2freq.modeling.unmixing.deformable import DeformConv, deformable_convolution


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("spread", [0.3, 4.0])  # of the offsets; the second leaves the map often
def test_sampling_on_the_cpu_is_torchvisions_operator(spread, groups):
    torch.manual_seed(0)
    x = torch.randn(3, 4, 9, 11, requires_grad=True)
    offset = (spread * torch.randn(3, 18 * groups, 9, 11)).requires_grad_()
    weight = torch.randn(5, 4, 3, 3, requires_grad=True)
    kernel = torch.randn(3, 5, 9, 11)
    found = deformable_convolution(x, offset, weight)
    wanted = deform_conv2d(x, offset, weight, padding=1)
    of = (x, offset, weight)
    ours, theirs = (torch.autograd.grad((y * kernel).sum(), of) for y in (found, wanted))
    for one, other in zip((found, *ours), (wanted, *theirs), strict=True):
        assert (one - other).abs().max() <= 1e-5 * other.abs().max().clamp(min=1)


@pytest.mark.parametrize("groups", [1, 4])
def test_it_starts_as_a_plain_one(groups):
    torch.manual_seed(0)
    module, x = DeformConv(8, groups=groups), torch.randn(2, 8, 6, 7)
    plain = torch.nn.functional.conv2d(x, module.weight, padding=1)
    assert torch.allclose(module(x, torch.randn(2, 8, 6, 7)), plain, atol=1e-5)


def test_groups_have_offsets_of_their_own():
    """An offset of one column for the first group alone shifts its channels alone."""
    torch.manual_seed(0)
    module, x = DeformConv(4, groups=2), torch.randn(1, 4, 6, 6)
    with torch.no_grad():
        bias = module.offset.bias.view(2, 9, 2)  # group, tap, (row, column)
        bias[0, :, 1] = 1.0
    shifted = torch.zeros_like(x)
    shifted[:, :2, :, :-1], shifted[:, 2:] = x[:, :2, :, 1:], x[:, 2:]
    want = torch.nn.functional.conv2d(shifted, module.weight, padding=1)
    # the column left of the first is in the picture again once it is shifted
    assert torch.allclose(module(x, x)[..., 1:-1], want[..., 1:-1], atol=1e-5)


def test_parameters():
    count = [sum(p.numel() for p in DeformConv(32, groups=g).parameters()) for g in (1, 8)]
    assert count == [14_418, 50_832]
