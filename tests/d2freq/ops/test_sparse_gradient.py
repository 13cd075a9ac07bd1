"""The convolution with a sparse backward pass against torch's."""

import pytest
import torch
import torch.nn.functional as F

from d2freq.ops.sparse_gradient import LARGEST_SHARE, conv2d


def dense(x, weight, bias):
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("share", [0.0, 0.05, 2 * LARGEST_SHARE])
@pytest.mark.parametrize("has_bias", [True, False])
def test_equals_the_dense_one(side, share, has_bias):
    shapes = [(2, 4, 9, 7), (6, 4, side, side), (6,)][: 3 if has_bias else 2]
    gradient = torch.randn(2, 6, 9, 7, dtype=torch.float64)
    gradient *= torch.rand(2, 1, 9, 7) < share
    values = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    seen = []
    for function in (dense, conv2d):
        leaves = [value.clone().requires_grad_() for value in values]
        out = function(*leaves, *([] if has_bias else [None]))
        seen.append([out, *torch.autograd.grad(out, leaves, gradient)])
    for one, other in zip(*seen, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)
    assert torch.equal(seen[0][0], seen[1][0])


def test_what_needs_no_gradient_gets_none():
    x, weight = torch.randn(1, 2, 5, 5, requires_grad=True), torch.randn(3, 2, 3, 3)
    gradient = torch.zeros(1, 3, 5, 5)
    gradient[0, :, 4, 0] = 1
    conv2d(x, weight, None).backward(gradient)
    assert weight.grad is None
    assert x.grad is not None and (x.grad != 0).any(dim=1).nonzero().tolist() == [
        [0, 3, 0],
        [0, 3, 1],
        [0, 4, 0],
        [0, 4, 1],
    ]


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_autocast(share):
    x = torch.randn(1, 2, 8, 8, requires_grad=True)
    weight, bias = torch.randn(3, 2, 3, 3, requires_grad=True), torch.zeros(3, requires_grad=True)
    found = []
    for function in (dense, conv2d):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = function(x, weight, bias)
        mask = torch.rand(8, 8, generator=torch.Generator().manual_seed(0)) < share
        found.append(torch.autograd.grad((out.float() * mask).sum(), (x, weight, bias)))
        assert out.dtype == torch.bfloat16
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.1, rtol=0.05)
