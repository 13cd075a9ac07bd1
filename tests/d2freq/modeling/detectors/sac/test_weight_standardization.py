"""Standardised weights: the formula, and gamma and beta through loading and saving."""

import torch
from detectron2.layers import Conv2d
from torch import nn

from d2freq.modeling.detectors.sac import StandardizedConv2d
from d2freq.modeling.detectors.sac.weight_standardization import standardize


def convolution(**options):
    return standardize(Conv2d(6, 4, 3, padding=1, **options))


def test_it_begins_as_the_convolution_that_it_was():
    plain = Conv2d(6, 4, 3, padding=1, norm=nn.BatchNorm2d(4), activation=torch.relu)
    x, weight = torch.randn(2, 6, 7, 8), plain.weight
    with torch.no_grad():
        weight *= 0.01  # far from a deviation of 1
    wanted = plain(x)
    ours = standardize(plain)
    assert isinstance(ours, StandardizedConv2d) and ours.weight is weight
    assert torch.allclose(ours(x), wanted, atol=1e-5)


def test_the_formula_by_hand():
    layer = convolution()
    with torch.no_grad():
        layer.weight.add_(torch.randn_like(layer.weight))
        layer.weight_gamma.copy_(torch.rand(4, 1, 1, 1) + 0.5)
        layer.weight_beta.copy_(torch.randn(4, 1, 1, 1))
    found = layer.effective_weight()
    for k, filter_ in enumerate(layer.weight.detach().double()):
        values = filter_.flatten().tolist()
        mean = sum(values) / 54
        variance = sum((value - mean) ** 2 for value in values) / 53  # unbiased
        wanted = (filter_ - mean) / (variance + 1e-5) ** 0.5
        wanted = wanted * float(layer.weight_gamma[k]) + float(layer.weight_beta[k])
        assert torch.allclose(found[k].double(), wanted, atol=1e-5)


def test_a_plain_weight_brings_its_own_statistics():
    layer, plain = convolution(), Conv2d(6, 4, 3, padding=1)
    nn.init.normal_(plain.weight, mean=0.3, std=0.02)
    given = plain.state_dict()
    result = layer.load_state_dict(given)  # strict: nothing is missing
    assert not result.missing_keys and set(given) == {"weight", "bias"}
    assert torch.allclose(layer.effective_weight(), plain.weight, atol=1e-6)


def test_a_trained_weight_keeps_what_it_was_saved_with():
    """After a step the statistics of the weight are others than gamma and beta."""
    layer = convolution()
    before = layer.weight_gamma.clone(), layer.weight_beta.clone()
    layer(torch.randn(1, 6, 5, 5)).square().sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.5).step()
    assert torch.equal(layer.weight_gamma, before[0]) and torch.equal(layer.weight_beta, before[1])
    other = convolution()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.effective_weight(), layer.effective_weight())
    other.load_state_dict({"weight": layer.weight, "bias": layer.bias})  # as if it were plain
    assert torch.allclose(other.effective_weight(), layer.weight, atol=1e-6)
    assert not torch.allclose(other.effective_weight(), layer.effective_weight(), atol=1e-3)


def test_half_of_the_two_is_no_plain_weight():
    layer = convolution()
    state = {name: value for name, value in layer.state_dict().items() if "beta" not in name}
    assert layer.load_state_dict(state, strict=False).missing_keys == ["weight_beta"]


def test_a_filter_of_one_weight_has_no_deviation():
    assert type(standardize(Conv2d(4, 4, 1, groups=4))) is Conv2d
