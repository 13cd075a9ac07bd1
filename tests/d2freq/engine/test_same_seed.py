"""The same seed gives the same weights, iteration by iteration."""

import pytest

from .toy_training import KINDS, train


def weights(kind, folder) -> list[float]:
    found = []

    def hook(model):
        found.append(float(model.layer.weight.detach().double().sum()))

    folder.mkdir()
    train(kind, folder, hook=hook, max_iter=200, period=0)
    return found[:200]


@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_iterations_twice(kind, vehicles, loggers, tmp_path):
    first = weights(kind, tmp_path / "first")
    assert weights(kind, tmp_path / "second") == first
    assert len(set(first)) > 150  # the weights do move
