"""The gate by itself: its size, its draws, its penalties, and a problem with a known answer."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from d2freq.errors import UserError
from d2freq.modeling.frequency_input import ChannelGate

PLANTED = [2, 3, 7, 11, 13]  # of 16


def channels(batch=4, count=16):
    return torch.randn(batch, count, 3, 3)


@pytest.mark.parametrize("norm", ["LN", "BN"])
def test_parameters_are_those_published(norm):
    gate = ChannelGate(192, norm=norm)
    assert sum(p.numel() for p in gate.parameters()) == 38208  # facts of the published code


def test_in_the_beginning_a_channel_is_on_as_often_as_published():
    torch.manual_seed(0)
    gate = ChannelGate(192, weight=0.0)
    on = gate(torch.ones(64, 192, 1, 1)).mean().item()
    assert on == pytest.approx(torch.tensor(1.9).sigmoid().item(), abs=0.01)


def test_training_switches_whole_channels_and_lets_the_gradient_through():
    torch.manual_seed(0)
    gate, x = ChannelGate(16), channels().requires_grad_()
    found = gate(x)
    on = (found != 0).flatten(2)
    assert torch.equal(on.any(2), on.all(2)) and 0 < on.float().mean() < 1
    torch.testing.assert_close(found[on.all(2)], x[on.all(2)])
    found.square().sum().backward()
    gate.take_penalty()
    for name, parameter in gate.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
    assert (x.grad.flatten(2).abs().sum(2) > 0)[on.all(2)].all()


def test_the_gradient_is_that_of_the_soft_draw():
    """Forward the hard choice, backward the chance: at a high temperature both are known."""
    torch.manual_seed(0)
    gate, x = ChannelGate(16, temperature=1e4, weight=0.0), channels()
    gate(x).sum().backward()
    # sigmoid((logit difference + noise) / T) has the slope 1 / 4 T, whatever was drawn
    expected = x.sum((2, 3)).sum(0) / 4e4
    torch.testing.assert_close(
        gate.decision.bias.grad.view(16, 2)[:, 1], expected, rtol=1e-3, atol=1e-7
    )


def test_evaluation_draws_nothing():
    torch.manual_seed(0)
    gate, x = ChannelGate(16).eval(), channels()
    nn.init.normal_(gate.decision.bias)
    first, state = gate(x), torch.get_rng_state()
    assert torch.equal(first, gate(x)) and torch.equal(state, torch.get_rng_state())
    assert torch.equal((first != 0).any(-1).any(-1), gate.decisions(x))
    assert 0 < gate.decisions(x).float().mean() < 1
    assert gate.take_penalty() is None


def test_a_lower_temperature_keeps_the_choice_and_sharpens_the_gradient():
    gradients = {}
    for temperature in (0.1, 10.0):
        torch.manual_seed(0)
        gate, x = ChannelGate(16, temperature=temperature), torch.ones(64, 16, 1, 1)
        torch.manual_seed(1)
        out = gate(x)
        out.sum().backward()
        gate.take_penalty()
        gradients[temperature] = (out.detach(), gate.decision.bias.grad.abs().mean())
    assert torch.equal(gradients[0.1][0], gradients[10.0][0])  # the same noise, the same choice
    assert gradients[0.1][1] > 2 * gradients[10.0][1]


def test_penalties_by_hand():
    torch.manual_seed(0)
    x = channels(8)
    gate = ChannelGate(16, weight=3.0)
    on = (gate(x) != 0).all(-1).all(-1).float()
    penalty = gate.take_penalty()
    torch.testing.assert_close(penalty.loss, 3 * on.mean())
    torch.testing.assert_close(penalty.channels_on, on.sum(1).mean())

    gate = ChannelGate(16, penalty="count", target=5)
    nn.init.normal_(gate.decision.bias)
    gate(x)
    count = gate.decisions(x).sum(1).float().mean()
    loss = gate.take_penalty().loss
    torch.testing.assert_close(loss, ((count - 5) / 16).square())
    loss.backward()
    grown = gate.decision.bias.grad.view(16, 2)[:, 1]  # of the logits for on
    assert (grown.sign() == (count - 5).sign()).all()


def test_energy_sees_a_wave_that_the_mean_does_not():
    x = torch.tensor([1.0, -1.0]).repeat(8, 16, 4, 2)
    x[4:] *= 5
    for pooling, differs in (("energy", True), ("mean", False)):
        torch.manual_seed(0)
        gate = ChannelGate(16, pooling=pooling, norm="BN")
        nn.init.normal_(gate.decision.weight)
        quiet, loud = gate.logits(x).chunk(2)
        assert torch.allclose(quiet, loud) != differs, pooling


def plant(seed, **options):
    """Train a gate and a linear classifier on channels of which five tell the class."""
    torch.manual_seed(seed)
    gate, head = ChannelGate(16, **options), nn.Linear(16, 2)
    optimizer = torch.optim.Adam([*gate.parameters(), *head.parameters()], lr=0.03)
    signal = torch.zeros(16)
    signal[PLANTED] = 0.5
    for _ in range(200):
        label = torch.randint(2, (32,))
        x = torch.randn(32, 16, 2, 2) + ((2 * label - 1)[:, None] * signal)[..., None, None]
        loss = F.cross_entropy(head(gate(x).mean((2, 3))), label) + gate.take_penalty().loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return gate.eval(), x


@pytest.mark.parametrize(
    "options",
    [
        {"penalty": "mean", "weight": 0.5},
        {"penalty": "count", "target": 5, "weight": 10.0},
        {"penalty": "mean", "weight": 0.5, "pooling": "mean", "norm": "BN"},  # the paper's
    ],
    ids=["mean", "count", "paper"],
)
def test_a_gate_finds_the_five_channels_that_carry_the_signal(options):
    gate, x = plant(0, **options)
    on = gate.decisions(x).float().mean(0)
    assert on.gt(0.5).nonzero().flatten().tolist() == PLANTED, on
    assert on.sum() < 5.5


def test_two_trainings_of_one_seed_are_equal():
    torch.manual_seed(0)
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        gate = ChannelGate(16)
        optimizer = torch.optim.SGD(gate.parameters(), lr=0.1)
        for _ in range(3):
            (gate(channels()).square().mean() + gate.take_penalty().loss).backward()
            optimizer.step()
        states.append(gate.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_bad_arguments_are_refused_with_the_choices():
    for options, message in (
        ({"pooling": "max"}, "POOLING: 'max' is unknown; choose one of energy, mean"),
        ({"penalty": "l2"}, "PENALTY: 'l2' is unknown; choose one of mean, count"),
        ({"norm": "GN"}, "NORM: 'GN' is unknown; choose one of LN, BN"),
        ({"temperature": 0.0}, "TEMPERATURE is above 0"),
        ({"weight": -1.0}, "WEIGHT not below 0"),
        ({"target": 5}, 'TARGET with PENALTY "count"'),
        ({"penalty": "count"}, 'TARGET with PENALTY "count"'),
        ({"penalty": "count", "target": 17}, "1 to 16 channels, not 17"),
    ):
        with pytest.raises(UserError, match=message):
            ChannelGate(16, **options)
    with pytest.raises(UserError, match='"BN" cannot train on a single image.*"LN"'):
        ChannelGate(16, norm="BN")(channels(1))


def test_a_penalty_that_nobody_takes_is_an_error():
    gate = ChannelGate(16)
    gate(channels())
    with pytest.raises(UserError, match="in nobody's loss.*META_ARCHITECTURE Gated"):
        gate(channels())
    free = ChannelGate(16, weight=0.0)
    free(channels())
    free(channels())
