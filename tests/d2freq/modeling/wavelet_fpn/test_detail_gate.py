"""The gate of wavelet details."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.wavelet_fpn import DetailGate
from d2freq.ops.haar import haar_split


@pytest.mark.parametrize("gate", ["cell", "channel"])
@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_it_starts_as_the_identity_and_learns(gate, size):
    module, x = DetailGate(3, gate=gate), torch.randn(2, 3, *size)
    assert torch.equal(module(x), x)
    module(x).square().sum().backward()
    assert all((parameter.grad != 0).any() for parameter in module.parameters())


@pytest.mark.parametrize("gate", ["cell", "channel"])
def test_details_are_weighted_and_the_mean_stays(gate):
    module = DetailGate(3, gate=gate).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    (low, details), (new_low, new_details) = haar_split(x), haar_split(module(x))
    torch.testing.assert_close(new_low, low)
    ratio = new_details / details - 1
    if gate == "cell":  # one weight for all channels, within (-1, 1)
        torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
        assert ratio.abs().max() < 1
    else:
        torch.testing.assert_close(ratio, module.weight.expand_as(ratio))


def test_an_unknown_gate_is_refused():
    with pytest.raises(UserError, match=r"WAVELETFPN.GATE.*'cel'.*cell"):
        DetailGate(3, gate="cel")
