"""The deformable convolution of DeRefNet and TDAN, against the plain one and by hand."""

import pytest
import torch

from d2freq.modeling.unmixing.deformable import DeformConv


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
