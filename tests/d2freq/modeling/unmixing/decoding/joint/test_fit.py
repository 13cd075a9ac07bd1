"""The joint fit against scipy's, its design against finite differences."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from d2freq.modeling.unmixing.decoding.joint.fit import _design, covariances, fit, left_over
from d2freq.modeling.unmixing.decoding.joint.state import JointFit, Knowledge, legendre
from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.ops.psf import render

SHAPE = torch.tensor([[4.6, 5.8], [5.5, 5.3], [4.9, 4.7]], dtype=torch.float64)


def problem(flicker=False, frames=5, count=3, saturation=None):
    """A noisy window (1, W, 11, 11), a start near the truth, and what is known."""
    prior = Prior(0.5, (235.0, 8.66), 0.15, 1e-3, saturation)
    knowledge = Knowledge.of(prior, frames, degree=2, flicker=flicker, device=torch.device("cpu"))
    random = torch.Generator().manual_seed(frames)
    active = torch.ones(1, count, dtype=torch.bool)
    shape = Fit(
        SHAPE[None, :count],
        torch.full((1, count), 235.0, dtype=torch.float64),
        active,
        SHAPE[None, :count],
        torch.zeros_like(active),
        torch.zeros(1, dtype=torch.float64),
    )
    motion = 0.1 * torch.randn(1, 2, 2, generator=random, dtype=torch.float64)
    start = JointFit.of(shape, motion, frames)
    seen = render(start.places(knowledge), start.levels)
    seen = seen + 2 * torch.randn(seen.shape, generator=random, dtype=seen.dtype)
    return seen, start, knowledge


@pytest.mark.parametrize("flicker", [False, True])
def test_the_fit_is_the_minimum_that_scipy_finds(flicker):
    frames, start, knowledge = problem(flicker)
    found = fit(frames, start, knowledge, steps=60, settled=1e-9)
    sigma = left_over(frames, found, knowledge).square().mean().sqrt().item()
    i = torch.arange(11.0, dtype=torch.float64)
    planes = torch.stack([torch.ones(11, 11).double(), i[:, None].expand(11, 11), i.expand(11, 11)])
    planes = torch.linalg.qr(planes.flatten(1).T)[0]

    def terms(values):
        """With the noise known, the objective is a sum of squares."""
        numbers = torch.from_numpy(values)
        shape, motion, wider, levels = numbers.split([6, 4, 1, 15 if flicker else 3])
        shape = shape.view(3, 2)
        spread = wider * knowledge.times[:, None, None] * (shape - shape.mean(0))
        places = shape + (knowledge.basis @ motion.view(2, 2))[:, None] + spread
        bright = levels.view(-1, 3).expand(5, 3)
        left = (frames[0] - render(places, bright)).flatten(1)
        left = left - left @ planes @ planes.T
        known = torch.cat([(levels - 235) / 8.66, wider / knowledge.widening])
        return torch.cat([left.flatten() / sigma, known]).numpy()

    begin = torch.cat([start.positions.flatten(), start.motion.flatten(), torch.zeros(1)])
    begin = np.append(begin.numpy(), np.full(15 if flicker else 3, 235.0))
    other = least_squares(terms, begin, xtol=1e-14, ftol=1e-14)
    assert np.allclose(found.positions.flatten().numpy(), other.x[:6], atol=2e-4)
    assert np.allclose(found.motion.flatten().numpy(), other.x[6:10], atol=2e-4)
    levels = found.levels[0] if flicker else found.intensities
    assert np.allclose(levels.flatten().numpy(), other.x[11:], atol=0.05)
    # the covariance is that of scipy's linearised minimum, but for the noise's own estimate
    known = np.linalg.inv(other.jac.T @ other.jac)
    middle = covariances(frames, found, knowledge)[0, 2]
    design = np.zeros((2, len(other.x)))
    design[0, 2], design[1, 3] = 1, 1  # the second target
    for axis in range(2):
        design[axis, 6 + axis], design[axis, 8 + axis] = knowledge.basis[2]
    expected = design @ known @ design.T
    assert np.allclose(middle[1].numpy(), expected, rtol=0.05, atol=1e-6)


def test_the_design_is_the_derivative_of_the_places():
    """Left out on purpose: that the mean of the shape moves too, which the motion takes up."""
    _, start, knowledge = problem()
    start = JointFit(**{**vars(start), "expansion": torch.tensor([0.02], dtype=torch.float64)})
    design = _design(start, knowledge)[0]
    for number in range(2 * 3, 2 * 3 + 5):
        step = 1e-5
        motion, wider = start.motion.clone(), start.expansion.clone()
        if number < 10:
            motion.mT.reshape(-1)
            axis, power = divmod(number - 6, 2)
            motion[0, power, axis] += step
        else:
            wider = wider + step
        moved = JointFit(**{**vars(start), "motion": motion, "expansion": wider})
        change = (moved.places(knowledge) - start.places(knowledge))[0] / step
        assert torch.allclose(change.mT.reshape(5, 6), design[:, :6, number], atol=1e-8)


def test_spare_slots_change_nothing_and_the_objective_falls():
    frames, start, knowledge = problem()
    values = [fit(frames, start, knowledge, steps=n).objective.item() for n in (1, 3, 10)]
    assert values == sorted(values, reverse=True)
    wide = fit(frames, start.padded(4), knowledge, steps=40)
    narrow = fit(frames, start, knowledge, steps=40)
    assert wide.active.sum() == 3 and wide.levels.shape[2] == 7
    assert wide.objective.item() == pytest.approx(narrow.objective.item())


def test_legendre_polynomials():
    times = torch.linspace(-1, 1, 9, dtype=torch.float64)
    values = legendre(times, 3).numpy()
    for degree in range(1, 4):
        expected = np.polynomial.legendre.Legendre.basis(degree)(times.numpy())
        assert np.allclose(values[:, degree - 1], expected)
    assert legendre(times, 0).shape == (9, 0)
