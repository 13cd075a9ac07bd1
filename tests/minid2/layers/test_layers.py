"""Layers against torch's own, and what they do with nothing in them."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minid2.layers import (
    CNNBlockBase,
    Conv2d,
    FrozenBatchNorm2d,
    ROIAlign,
    batched_nms,
    cat,
    cross_entropy,
    get_norm,
)


def trained_norm(channels: int = 4) -> nn.BatchNorm2d:
    """A batch norm in evaluation mode with statistics and factors of its own."""
    norm = nn.BatchNorm2d(channels, eps=1e-3)
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        tensor.data = torch.rand(channels) + 0.5
    return norm.eval()


def test_convolution_applies_norm_then_activation():
    conv = Conv2d(3, 4, 3, padding=1, bias=False, norm=trained_norm(), activation=torch.tanh)
    x = torch.randn(2, 3, 5, 6)
    wanted = torch.tanh(conv.norm(F.conv2d(x, conv.weight, padding=1)))
    torch.testing.assert_close(conv(x), wanted)
    assert conv(x[:0]).shape == (0, 4, 5, 6)
    assert "norm.running_mean" in conv.state_dict()


@pytest.mark.parametrize("needs_grad", [False, True])
def test_frozen_norm_is_the_evaluated_batch_norm(needs_grad):
    norm = trained_norm()
    frozen = FrozenBatchNorm2d.convert_frozen_batchnorm(norm).train()
    assert not list(frozen.parameters())
    x, y = (torch.ones(2, 4, 3, 3).mul_(2.5).requires_grad_(needs_grad) for _ in range(2))
    torch.testing.assert_close(frozen(x), norm(y))
    if needs_grad:
        frozen(x).square().sum().backward()
        norm(y).square().sum().backward()
        torch.testing.assert_close(x.grad, y.grad)


def test_frozen_norm_loads_folded_weights_without_version_and_refuses_them_with_one():
    state = OrderedDict(weight=torch.full((4,), 3.0), bias=torch.ones(4))
    frozen = FrozenBatchNorm2d(4)
    frozen.load_state_dict(state)
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(frozen(x), 3 * x + 1, rtol=1e-4, atol=1e-4)
    state._metadata = {"": {"version": 3}}
    with pytest.raises(RuntimeError, match="running_mean"):
        FrozenBatchNorm2d(4).load_state_dict(state)


def test_frozen_block_neither_learns_nor_remembers():
    class Block(CNNBlockBase):
        def __init__(self):
            super().__init__(3, 4, 1)
            self.conv = Conv2d(3, 4, 1, norm=nn.BatchNorm2d(4))

        def forward(self, x):
            return self.conv(x)

    block = Block()
    before = {key: value.clone() for key, value in block.state_dict().items()}
    assert block.freeze() is block
    block.train()(torch.randn(2, 3, 4, 4) + 5)
    assert not any(p.requires_grad for p in block.parameters())
    for key, value in block.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_norm_names():
    assert get_norm("", 8) is None and get_norm(None, 8) is None
    assert get_norm("GN", 64).num_groups == 32
    assert isinstance(get_norm(nn.InstanceNorm2d, 8), nn.InstanceNorm2d)
    with pytest.raises(KeyError, match="'bn'.*FrozenBN"):
        get_norm("bn", 8)


def test_loss_over_nothing_is_zero_and_differentiable():
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = cross_entropy(logits, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss == 0 and logits.grad.shape == (0, 3)


def test_suppression_stays_within_a_class_and_bears_half_precision():
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9]]).half()
    scores = torch.tensor([0.5, 0.9, 0.4])
    kept = batched_nms(boxes, scores, torch.tensor([0, 0, 1]), 0.5)
    assert kept.tolist() == [1, 2]
    assert batched_nms(boxes[:0], scores[:0], torch.zeros(0), 0.5).shape == (0,)


def test_aligned_pooling_reads_a_ramp_exactly():
    """On f(x, y) = x (pixel centres at half integers) a bin yields its own centre."""
    ramp = (torch.arange(16.0) + 0.5).expand(1, 1, 16, 16)
    pooled = ROIAlign((2, 4), spatial_scale=0.5, sampling_ratio=2)(
        ramp, torch.tensor([[0.0, 8.0, 8.0, 24.0, 24.0]])
    )
    torch.testing.assert_close(pooled[0, 0], torch.tensor([5.0, 7.0, 9.0, 11.0]).expand(2, 4))


def test_cat_copies_no_single_tensor():
    x = torch.ones(2)
    assert cat([x]) is x and cat([x, x]).shape == (4,)
