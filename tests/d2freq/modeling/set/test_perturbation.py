"""API against SET's Eqs. 6 and 8 written out, and its edges."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from d2freq.errors import UserError
from d2freq.modeling.set import perturbation

LEVELS = {"p3": (9, 7), "p4": (5, 4), "p5": (1, 1)}
BRANCHES = ("cls", "reg", "ctr")


class Network(nn.Module):
    """A convolution makes each level from noise; every branch has one over all levels."""

    def __init__(self, seed=0, batch=2, dtype=torch.float32):
        super().__init__()
        torch.manual_seed(seed)
        self.noise = {
            name: torch.randn(batch, 4, *size, dtype=dtype) for name, size in LEVELS.items()
        }
        self.backbone = nn.Conv2d(4, 6, 3, padding=1, dtype=dtype)
        self.heads = nn.ModuleDict(
            {name: nn.Conv2d(6, 3, 3, padding=1, dtype=dtype) for name in BRANCHES}
        )

    def features(self):
        return {name: self.backbone(x).tanh() for name, x in self.noise.items()}

    def losses(self, features):
        def loss(head, power):
            return sum(head(x).float().abs().pow(power).mean() for x in features.values())

        return {name: loss(head, 1 + k / 2) for k, (name, head) in enumerate(self.heads.items())}


def reference(network, *, rho, weights, norm):
    """SET, Eqs. 6 and 8, a branch, a level and an image at a time, in float64."""
    network = network.double()
    network.noise = {name: x.double() for name, x in network.noise.items()}
    features = network.features()
    expected = {name: np.zeros(x.shape) for name, x in features.items()}
    for branch, weight in weights.items():
        for name, feature in features.items():
            loss = network.losses(features)[branch]
            (g,) = (x.numpy() for x in torch.autograd.grad(loss, feature, retain_graph=True))
            if norm == "batch":
                expected[name] += weight * rho * g / math.sqrt((g**2).sum())
            else:
                for number, image in enumerate(g):
                    length = math.sqrt((image**2).sum())
                    expected[name][number] += weight * rho * image / length
    return expected


@pytest.mark.parametrize("norm", ["batch", "image"])
@pytest.mark.parametrize("seed", range(20))
def test_equals_the_equations_in_random_cases(norm, seed):
    network = Network(seed, batch=1 + seed % 3)
    numbers = np.random.default_rng(seed)
    rho = float(numbers.uniform(0, 2))
    weights = (
        dict(zip(BRANCHES, numbers.uniform(-1, 1, 3).tolist(), strict=True)) if seed % 2 else None
    )
    features = network.features()
    result = perturbation(network.losses(features), features, rho=rho, weights=weights, norm=norm)
    weights = weights or dict.fromkeys(BRANCHES, 1 / 3)
    expected = reference(network, rho=rho, weights=weights, norm=norm)
    assert list(result) == list(LEVELS)
    for name, noise in result.items():
        assert noise.dtype == torch.float32 and not noise.requires_grad
        np.testing.assert_allclose(noise.numpy(), expected[name], atol=1e-6, rtol=0)


def test_one_branch_has_the_norm_rho_at_every_level():
    network = Network(batch=3)
    features = network.features()
    losses = {"cls": network.losses(features)["cls"]}
    for noise in perturbation(losses, features, rho=2.5).values():
        assert noise.norm() == pytest.approx(2.5, rel=1e-5)
    for noise in perturbation(losses, features, rho=2.5, norm="image").values():
        assert noise.flatten(1).norm(dim=1).tolist() == pytest.approx([2.5] * 3, rel=1e-5)


def test_it_raises_the_losses():
    network = Network()
    features = network.features()
    before = network.losses(features)
    noise = perturbation(before, features, rho=0.1)
    after = network.losses({name: x + noise[name] for name, x in features.items()})
    assert sum(after.values()) > sum(before.values())


def test_one_gradient_call_a_branch_and_the_graph_stays(monkeypatch):
    network = Network()
    features = network.features()
    losses, calls, gradient = network.losses(features), [], torch.autograd.grad

    def counted(*args, **kwargs):
        calls.append(args)
        return gradient(*args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    perturbation(losses, features)
    assert len(calls) == len(BRANCHES)
    assert all(weight.grad is None for weight in network.parameters())
    sum(losses.values()).backward()
    found = [weight.grad.clone() for weight in network.parameters()]
    network.zero_grad()
    sum(network.losses(network.features()).values()).backward()
    assert all(map(torch.equal, found, (weight.grad for weight in network.parameters())))


def test_a_branch_that_misses_a_level_gives_it_nothing():
    """As p6 of a two-stage detector, which no RoI reads; the branch counts in M even so."""
    network = Network()
    features = network.features()
    losses = network.losses(features)
    alone = perturbation({"cls": losses["cls"]}, features)
    losses = {"cls": losses["cls"], "reg": features["p3"].square().sum()}
    both = perturbation(losses, features)
    for name in ("p4", "p5"):
        torch.testing.assert_close(both[name], alone[name] / 2)
    assert both["p3"].norm() > alone["p3"].norm() / 2


@pytest.mark.parametrize("constant", [torch.tensor(0.0), torch.tensor(math.inf)])
def test_a_loss_without_a_graph_gives_nothing(constant):
    network = Network()
    features = network.features()
    for noise in perturbation({"cls": constant, "reg": constant}, features).values():
        assert not noise.any()


@pytest.mark.parametrize("factor", [0.0, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("norm", ["batch", "image"])
def test_zero_or_unbounded_gradients_give_nothing_and_spare_the_others(factor, norm):
    network = Network()
    features = network.features()
    losses = network.losses(features)
    expected = perturbation({"cls": losses["cls"]}, features, norm=norm)
    losses = {"cls": losses["cls"], "reg": losses["reg"] * factor}
    result = perturbation(losses, features, weights={"cls": 1, "reg": 1}, norm=norm)
    for name, noise in result.items():
        assert torch.equal(noise, expected[name])


def test_one_unbounded_number_spoils_its_level_or_its_image_alone():
    network = Network()
    features = network.features()
    weight = {name: torch.ones_like(x) for name, x in features.items()}
    weight["p3"][1, 0, 0, 0] = math.inf
    loss = sum((x * weight[name]).sum() for name, x in features.items())
    result = perturbation({"cls": loss}, features)
    assert not result["p3"].any() and result["p4"].norm() == pytest.approx(1)
    result = perturbation({"cls": loss}, features, norm="image")
    assert not result["p3"][1].any() and result["p3"][0].norm() == pytest.approx(1)


def test_an_infinite_loss_with_a_finite_gradient_counts():
    network = Network()
    features = network.features()
    loss = network.losses(features)["cls"]
    result = perturbation({"cls": loss + math.inf}, features)
    expected = perturbation({"cls": loss}, features)
    assert all(torch.equal(noise, expected[name]) for name, noise in result.items())


def test_under_no_grad_there_is_nothing():
    network = Network()
    with torch.no_grad():
        features = network.features()
        result = perturbation(network.losses(features), features)
    assert not any(noise.any() for noise in result.values())


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rho": -1.0}, r"rho -1.0 \(MODEL.SET.RHO\)"),
        ({"rho": math.nan}, "rho nan"),
        ({"rho": math.inf}, "rho inf"),
        ({"norm": "level"}, r"norm \(MODEL.SET.NORM\): 'level'.*batch, image"),
        ({"weights": {"cls": 1.0}}, r"of cls \(MODEL.SET.BRANCH_WEIGHTS\).*cls, reg, ctr"),
        ({"weights": {}}, "weights of nothing"),
    ],
)
def test_values_that_do_not_exist_are_errors(options, message):
    network = Network()
    features = network.features()
    with pytest.raises(UserError, match=message):
        perturbation(network.losses(features), features, **options)


def test_a_feature_without_a_gradient_is_an_error_with_the_cure():
    network = Network()
    features = {name: x.detach() for name, x in network.features().items()}
    with pytest.raises(ValueError, match="feature p3 needs no gradient.*requires_grad_"):
        perturbation(network.losses(features), features)
    features = {name: x.requires_grad_() for name, x in features.items()}
    assert perturbation(network.losses(features), features)["p3"].any()
