"""Two Gaussians fitted to losses: scikit-learn's results, and a loop over numbers."""

import math

import pytest
import torch

from d2freq.modeling.detectors.paa import foreground_of_mixture


def naive(values):
    """The positive ones of rising values, by expectation maximisation as scikit-learn does it."""
    means, variances, weights = [values[0], values[-1]], [1.0, 1.0], [0.5, 0.5]

    def joint(value):
        return [
            math.log(w) - ((value - m) ** 2 / v + math.log(2 * math.pi * v)) / 2
            for m, v, w in zip(means, variances, weights, strict=True)
        ]

    def log_sum(pair):
        return max(pair) + math.log(sum(math.exp(part - max(pair)) for part in pair))

    bound, rounds = -math.inf, 0
    while rounds < 100:
        rounds += 1
        tables = [joint(value) for value in values]
        densities = [log_sum(pair) for pair in tables]
        for k in (0, 1):
            share = [math.exp(t[k] - d) for t, d in zip(tables, densities, strict=True)]
            total = sum(share) + 10 * torch.finfo(torch.float64).eps
            means[k] = sum(s * v for s, v in zip(share, values, strict=True)) / total
            spread = sum(s * (v - means[k]) ** 2 for s, v in zip(share, values, strict=True))
            variances[k], weights[k] = spread / total + 1e-6, total
        weights = [weight / sum(weights) for weight in weights]
        reached = sum(densities) / len(values)
        if abs(reached - bound) < 1e-3:
            break
        bound = reached
    tables = [joint(value) for value in values]
    mine = [place for place, (one, other) in enumerate(tables) if one >= other]
    if not mine:
        return [], rounds, means
    peak = max(mine, key=lambda place: (log_sum(tables[place]), -place))
    return [place for place in mine if place <= peak], rounds, means


def found(values):
    row = torch.tensor([values])
    return foreground_of_mixture(row, torch.ones_like(row, dtype=torch.bool))[0].tolist()


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ((0.5, 0.6, 0.7, 1.5, 2.0, 2.2), 2),
        ((1.0, 1.1, 1.2, 1.3, 1.4, 3.0, 3.1, 5.0), 3),
        ((0.9, 1.0), 1),
        ((2.0, 2.0, 2.0, 2.0), 1),
    ],
)
def test_what_scikit_learn_makes_of_it(values, positive):
    assert found(values) == [place < positive for place in range(len(values))]


def test_the_loop_is_scikit_learn_too():
    places, rounds, means = naive([0.5, 0.6, 0.7, 1.5, 2.0, 2.2])
    assert (places, rounds) == ([0, 1], 8) and means == pytest.approx([0.6, 1.8999], abs=1e-4)


def test_100_random_objects_at_once_equal_a_loop_over_each():
    draw = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 46, (100,), generator=draw).tolist()
    there = torch.arange(45) < torch.tensor(counts)[:, None]
    table = torch.rand(100, 45, generator=draw, dtype=torch.float64) * 3
    low = torch.rand(100, 45, generator=draw) < 0.4
    table = torch.where(low, table / 5, table)
    table = table.where(there, 9.0).sort(dim=1).values
    result = foreground_of_mixture(table.where(there, float("nan")), there)
    for row, values, count in zip(result.tolist(), table.tolist(), counts, strict=True):
        expected = naive(values[:count])[0] if count else []
        assert [place for place, positive in enumerate(row) if positive] == expected
    assert result.sum() > 300 and foreground_of_mixture(table[:0], there[:0]).shape == (0, 45)
