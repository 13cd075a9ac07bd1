"""Random states: what is drawn after going back is what was drawn before."""

import random

import numpy as np
import pytest
import torch

from d2freq.utils.random_states import (
    kept_random_states,
    pack_random_states,
    unpack_random_states,
)


def draw() -> tuple:
    return (
        random.random(),
        random.gauss(0, 1),
        np.random.rand(),  # noqa: NPY002
        np.random.randn(),  # noqa: NPY002
        torch.rand(3).tolist(),
        torch.randperm(5).tolist(),
    )


@pytest.mark.parametrize("before", range(4))
def test_going_back_draws_the_same_again(before):
    for _ in range(before):
        draw()
    packed = pack_random_states(cuda=True)
    first = [draw() for _ in range(300)]  # past the end of a block of 624 words
    unpack_random_states(packed)
    assert [draw() for _ in range(300)] == first


def test_draws_inside_leave_no_trace():
    packed = pack_random_states()
    wanted = draw()
    unpack_random_states(packed)
    with pytest.raises(KeyError), kept_random_states():
        draw()
        raise KeyError
    assert draw() == wanted


@pytest.mark.parametrize("spoil", [lambda b: b[:100], lambda b: b"\x07" + b[1:], lambda b: b[:-9]])
def test_other_bytes_are_refused(spoil):
    with pytest.raises(ValueError, match="no random states|version"):
        unpack_random_states(spoil(pack_random_states()))
