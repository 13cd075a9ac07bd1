"""Generators that objects keep are found, and draw again what they drew."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from d2freq.utils.own_generators import OwnGenerators


@pytest.fixture
def keeper():
    """An object that keeps a generator of each kind, at several depths and one of them twice."""
    pythons = random.Random(1)
    inner = SimpleNamespace(old=np.random.RandomState(2), new=[np.random.default_rng(3)])
    return SimpleNamespace(
        inner=inner, table={"torch": torch.Generator().manual_seed(4)}, one=pythons, two=pythons
    )


def draw(keeper):
    return (
        keeper.one.random(),
        keeper.one.gauss(0, 1),
        keeper.inner.old.randn(),
        keeper.inner.new[0].random(),
        torch.rand(2, generator=keeper.table["torch"]).tolist(),
    )


def test_every_kind_draws_the_same_again(keeper):
    own = OwnGenerators(keeper)
    assert len(own) == 4
    draw(keeper)
    packed = own.pack()
    first = [draw(keeper) for _ in range(5)]
    own.unpack(packed)
    assert [draw(keeper) for _ in range(5)] == first


def test_generators_that_do_not_count_and_states_of_others(keeper):
    assert len(OwnGenerators(keeper, skip=(SimpleNamespace,))) == 2  # those in a list and a dict
    nobody = OwnGenerators(SimpleNamespace(a=[1]))
    assert nobody.pack() == b"" and len(nobody) == 0
    nobody.unpack(b"")
    with pytest.raises(ValueError, match="4 states for 0 random generators"):
        nobody.unpack(OwnGenerators(keeper).pack())
