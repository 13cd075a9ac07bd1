"""DeRefNet's parameters, part by part, and the start of its weights."""

import math

import pytest
import torch
from torch import nn

from d2freq.modeling.derefnet import AffineTime, DeRefNet, LinearTime

Q_INIT = torch.zeros(1089, 121)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, 1_482_879),
        ({"stages": 8}, 1_463_869),
        ({"stages": 6}, 1_425_849),
        ({"time_encoding": "none"}, 295_869),
        ({"time_encoding": "none", "stages": 8}, 276_859),  # 0.28 M of the paper's Table 3
        ({"time_encoding": "affine"}, 295_869 + 2_178),
        ({"preset": "paper"}, 1_482_879 - 14_418),
        ({"features": "residual"}, 1_482_879 - 171_090 + 167_072),
        ({"alignment": "translation"}, 1_482_879 - 1_094 - 2 * 14_418),
    ],
)
def test_parameters_of_the_published_configuration(options, wanted):
    assert count(DeRefNet(q_init=Q_INIT, **options)) == wanted


def test_parameters_of_the_parts():
    model = DeRefNet(q_init=Q_INIT)
    assert [count(stage) for stage in model.unfolding.stages] == [19_010] * 9
    assert count(model.time_encoding) == 1_187_010
    alignment = model.alignment
    assert count(alignment.features) == 320
    assert count(alignment.guide) == 1_094
    assert [count(layer) for layer in alignment.alignments] == [14_418, 14_418]
    assert count(alignment.project) == 289
    assert count(model.tail) == 94_240
    assert list(model.state_dict())[:1] == ["q_init"] and "phi" not in model.state_dict()


def test_weights_start_as_published():
    torch.manual_seed(0)
    model = DeRefNet(q_init=Q_INIT)
    stage, block = model.unfolding.stages[4], model.tail.blocks[2]
    assert (stage.step.item(), stage.threshold.item()) == (0.5, pytest.approx(0.01))
    spread = {
        stage.transform[2].weight: math.sqrt(2 / (9 * 32 + 9 * 32)),  # Xavier
        block.conv1.weight: 0.1 * math.sqrt(2 / (9 * 32)),  # Kaiming, fan in, a tenth
        model.tail.stem.weight: math.sqrt(2 / (9 * 32)),  # Kaiming, fan out
        model.alignment.features.weight: math.sqrt(2 / (9 * 32)),
        model.alignment.alignments[0].weight: math.sqrt(2 / (9 * 32)),  # Kaiming, uniform
    }
    for weight, wanted in spread.items():
        assert float(weight.detach().std()) == pytest.approx(wanted, rel=0.15)
    assert not any(layer.offset.weight.any() for layer in model.alignment.alignments)
    assert not any(conv.bias.any() for conv in (block.conv1, block.conv2, model.tail.stem))


def linear_and_affine(cells=36):
    torch.manual_seed(0)
    linear, affine = LinearTime(cells), AffineTime(cells)
    with torch.no_grad():
        affine.weight.copy_(linear.linear.weight.double().mean(dim=1))
        affine.bias.copy_(linear.linear.bias)
    return linear, affine, torch.rand(2, 7, 1, 6, 6)


def test_affine_time_is_the_linear_layers_function():
    linear, affine, x = linear_and_affine()
    torch.testing.assert_close(affine(x), linear(x))
    assert count(AffineTime(1089)) == 2_178


def test_affine_time_learns_at_the_linear_layers_pace():
    linear, affine, x = linear_and_affine()
    target = torch.rand_like(x)
    for module in (linear, affine):
        optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
        for _ in range(20):
            optimizer.zero_grad()
            (module(x) - target).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(affine(x), linear(x), rtol=1e-4, atol=1e-4)


def test_affine_time_starts_like_the_linear_layer():
    torch.manual_seed(0)
    time, cells = torch.ones(1), 400
    slopes = [
        (module.scores(time) - module.scores(0 * time)).detach()
        for module in (LinearTime(cells), AffineTime(cells))
    ]
    assert float(slopes[1].std()) == pytest.approx(float(slopes[0].std()), rel=0.15)


def test_time_counts_frames_from_zero_in_twentieths():
    linear = LinearTime(4)
    nn.init.constant_(linear.linear.weight, 0.25)  # four of them: a slope of 1
    nn.init.zeros_(linear.linear.bias)
    weights = linear(torch.ones(1, 20, 1, 2, 2))[0, :, 0, 0, 0]
    torch.testing.assert_close(weights, torch.sigmoid(torch.arange(20) / 20))
