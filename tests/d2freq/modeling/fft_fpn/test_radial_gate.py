"""The gate of radial bands."""

import torch

from d2freq.modeling.fft_fpn import RadialGate


def test_shared_weights_are_those_of_each_channel():
    shared, each = RadialGate(3, bands=4, per_channel=False), RadialGate(3, bands=4)
    assert shared.weight.shape == (1, 4) and each.weight.shape == (3, 4)
    with torch.no_grad():
        shared.weight.normal_()
        each.weight.copy_(shared.weight.expand(3, 4))
    x = torch.randn(2, 3, 6, 7)
    torch.testing.assert_close(shared(x), each(x))


def test_it_learns_from_zero():
    gate, x = RadialGate(3), torch.randn(2, 3, 6, 7)
    gate(x).square().sum().backward()
    assert (gate.weight.grad != 0).all()
