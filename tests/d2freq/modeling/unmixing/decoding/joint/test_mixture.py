"""Several explanations of a window against a naive loop, and where they are known by symmetry."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch

from d2freq.modeling.unmixing.decoding.joint.fit import covariances, fit, known_numbers
from d2freq.modeling.unmixing.decoding.joint.mixture import explanations
from d2freq.modeling.unmixing.decoding.joint.state import JointFit, Knowledge
from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.ops.psf import render

SQUARE = torch.tensor([[4.6, 4.6], [4.6, 5.4], [5.4, 4.6], [5.4, 5.4]]).double()
ROWS = torch.tensor([[4.6, 5.0], [5.4, 5.0]]).double()  # two targets in its place, above each other
COLUMNS = ROWS.flip(1)


def knowledge_of(frames, intensity=None, flicker=False):
    prior = Prior(0.5, intensity, 0.15, 0.3, None)
    return Knowledge.of(prior, frames, degree=2, flicker=flicker, device=torch.device("cpu"))


def start_at(places, frames, light=470.0):
    """Of one window, (K, 2)."""
    count = len(places)
    active = torch.ones(1, count, dtype=torch.bool)
    lights = torch.full((1, count), light, dtype=torch.float64)
    none = torch.zeros(1, dtype=torch.float64)
    own = Fit(places[None].double(), lights, active, places[None].double(), ~active, none)
    return JointFit.of(own, torch.zeros(1, 2, 2, dtype=torch.float64), frames)


def fitted(frames, places, knowledge, **options):
    start = start_at(places, frames.shape[1], **options)
    return fit(frames, start, knowledge, steps=60, settled=1e-6)


@pytest.fixture
def symmetric():
    """Four targets in a square, (1, 3, 11, 11): two in a row and two in a column fit alike."""
    lights = torch.full((3, 4), 235.0, dtype=torch.float64)
    return render(SQUARE.expand(3, 4, 2), lights)[None]


def test_two_explanations_of_equal_right_share_the_estimate(symmetric):
    knowledge = knowledge_of(3)
    best, other = (fitted(symmetric, places, knowledge) for places in (ROWS, COLUMNS))
    assert best.objective.item() == pytest.approx(other.objective.item(), abs=1e-3)
    # each start twice, and one of another number of targets
    tried = [fit_padded(one, 3) for one in (other, best, other)]
    alone = fitted(symmetric, ROWS.mean(0, keepdim=True), knowledge, light=900.0)
    tried.append(fit_padded(alone, 3))
    owner = torch.zeros(4, dtype=torch.int64)
    found = explanations(symmetric, fit_padded(best, 3), Fit.cat(tried), owner, knowledge)
    assert found.number.tolist() == [2]
    pair = [places.places(knowledge)[0] for places in (best, other)]
    # either target of the column may belong to either of the row, they are as far
    mixed = found.places[0, :, :2]
    order = min(permutations(range(2)), key=lambda p: (2 * mixed - pair[0] - pair[1][:, p]).norm())
    middle = (pair[0] + pair[1][:, order]) / 2
    assert torch.allclose(mixed, middle, atol=1e-5)
    apart = (pair[0] - pair[1][:, order]) / 2
    assert apart.norm(dim=-1).min() > 0.1
    within = covariances(symmetric, best, knowledge), covariances(symmetric, other, knowledge)
    expected = (within[0][0] + within[1][0][:, order]) / 2 + apart[..., None] * apart[..., None, :]
    assert torch.allclose(found.covariances[0, :, :2], expected, rtol=1e-3)


def fit_padded(fits, slots):
    return fits.padded(slots - fits.active.shape[1])


@pytest.mark.parametrize("flicker", [False, True])
def test_shares_are_those_of_a_naive_loop(flicker):
    """Two noisy windows with three further starts each, in a batch."""
    random = torch.Generator().manual_seed(4)
    knowledge = knowledge_of(5, intensity=(470.0, 60.0), flicker=flicker)
    lights = torch.tensor([230.0, 240.0, 235.0, 236.0]).double().expand(5, 4)
    clean = render(SQUARE.expand(5, 4, 2), lights)
    frames = clean + 6 * torch.randn(2, 5, 11, 11, generator=random).double()
    places = [ROWS, COLUMNS, ROWS + 0.03, SQUARE[[0, 3]]]
    starts = [start_at(one, 5) for one in places]
    ends = [fit(frames, Fit.cat([one, one]), knowledge, steps=60, settled=1e-9) for one in starts]
    best, tried = ends[0], Fit.cat(ends[1:])
    owner = torch.tensor([0, 1]).repeat(3)
    found = explanations(frames, best, tried, owner, knowledge)
    several = 0
    for window in range(2):
        own = [end[torch.tensor([window])] for end in ends]
        kept, logs, means, spreads = [], [], [], []
        for end in own:
            order = min(
                permutations(range(2)),
                key=lambda p: (end.positions[0, p] - own[0].positions[0]).square().sum().item(),
            )
            end = end.taken(torch.tensor([order]))
            known = known_numbers(frames[[window]], end, knowledge)
            sd = known_numbers(frames[[window]], own[0], knowledge).covariance[0].diagonal()[:4]
            off = [(end.positions - one.positions)[0].T.flatten() for one in kept]
            if any((o.square() / sd).mean().sqrt() <= 0.5 for o in off):
                continue
            kept.append(end)
            eigenvalues = np.linalg.eigvalsh(known.covariance[0].numpy())
            pixels = 5 * 121
            height = end.objective.item() * (pixels - 15) / pixels
            logs.append(np.log(eigenvalues).sum() / 2 - height / 2)
            means.append(end.places(knowledge)[0].numpy())
            spreads.append(known.positions[0].numpy())
        several += len(kept) > 1
        share = np.exp(np.array(logs) - max(logs))
        share /= share.sum()
        mean = sum(w * m for w, m in zip(share, means, strict=True))
        parts = zip(share, means, spreads, strict=True)
        spread = sum(w * (s + np.einsum("tki,tkj->tkij", m - mean, m - mean)) for w, m, s in parts)
        assert found.number[window] == len(kept)
        assert np.allclose(found.places[window].numpy(), mean, atol=1e-4)
        assert np.allclose(found.covariances[window].numpy(), spread, rtol=1e-3, atol=1e-5)
    assert several  # else nothing was mixed


def test_one_explanation_is_the_best_fit_itself(symmetric):
    knowledge = knowledge_of(3)
    far = start_at(torch.tensor([[2.0, 2.0], [2.5, 8.0]]), 3)  # hopeless
    far = replace(far, objective=torch.full((1,), 1e6).double())
    best = fitted(symmetric, ROWS, knowledge)
    for tried in (best, far):
        owner = torch.zeros(1, dtype=torch.int64)
        found = explanations(symmetric, best, tried, owner, knowledge)
        assert found.number.tolist() == [1]
        assert torch.equal(found.places, best.places(knowledge))
        assert torch.equal(found.covariances, covariances(symmetric, best, knowledge))
        assert torch.equal(found.levels, best.levels)


def test_a_window_is_mixed_as_by_itself(symmetric):
    random = torch.Generator().manual_seed(1)
    knowledge = knowledge_of(3)
    frames = symmetric + 8 * torch.randn(4, 3, 11, 11, generator=random).double()
    ends = [
        fit(frames, Fit.cat([start_at(p, 3)] * 4), knowledge, steps=60, settled=1e-9)
        for p in (ROWS, COLUMNS)
    ]
    together = explanations(frames, *ends, torch.arange(4), knowledge)
    for window in range(4):
        one = torch.tensor([window])
        own = [end[one] for end in ends]
        alone = explanations(frames[one], *own, torch.zeros(1, dtype=torch.int64), knowledge)
        assert torch.allclose(together.places[window], alone.places[0], atol=1e-9)
        assert torch.allclose(together.covariances[window], alone.covariances[0], atol=1e-9)
