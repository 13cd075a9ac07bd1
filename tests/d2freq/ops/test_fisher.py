"""Fisher matrices against finite differences of the frames themselves, and scipy."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from d2freq.ops.fisher import (
    censored_share,
    covariance,
    equal_area_sd,
    joint_information,
    position_covariances,
    position_sd,
    shared_design,
    target_information,
)
from d2freq.ops.psf import render

STEP = 1e-4  # of a central difference


def scene(targets, frames=1, seed=0):
    """Positions (T, K, 2) of a group in motion and intensities (T, K), float64."""
    random = torch.Generator().manual_seed(seed)
    shape = torch.rand(targets, 2, generator=random, dtype=torch.float64) - 0.5
    time = torch.linspace(-1, 1, frames, dtype=torch.float64)[:, None, None]
    path = torch.tensor([0.3, -0.2]).double() * time + torch.tensor([0.05, 0.1]) * time**2
    places = torch.tensor([5.2, 4.7]).double() + shape + path
    return places, (220 + 30 * torch.rand(1, targets, generator=random).double()).expand(frames, -1)


def pixels(numbers, **optics):
    """Frames of (T, 3K) numbers: rows, columns, intensities."""
    rows, columns, lights = numbers.unflatten(-1, (3, -1)).unbind(-2)
    return render(torch.stack([rows, columns], -1), lights, **optics)


def numeric(function, at):
    """Jacobian by central differences, (pixels, P)."""
    columns = []
    for index in range(len(at)):
        step = torch.zeros_like(at)
        step[index] = STEP
        columns.append((function(at + step) - function(at - step)).flatten() / (2 * STEP))
    return torch.stack(columns, 1)


def without_planes(jacobian, frames, size):
    """Columns less the least-squares plane of each frame."""
    i = torch.arange(size, dtype=torch.float64)
    plane = torch.stack([torch.ones(size, size).double(), i[:, None] + 0 * i, i + 0 * i[:, None]])
    basis = torch.linalg.qr(plane.flatten(1).T)[0]
    own = jacobian.unflatten(0, (frames, size * size))
    return (own - basis @ (basis.T @ own)).flatten(0, 1)


@pytest.mark.parametrize("targets", [1, 2, 3, 4])
@pytest.mark.parametrize("plane", [False, True])
def test_information_of_a_frame_is_that_of_finite_differences(targets, plane):
    places, lights = scene(targets, seed=targets)
    optics = {"size": 9, "sigma": 0.6}
    own = target_information(places[0], lights[0], noise=3.0, plane=plane, **optics)
    at = torch.cat([places[0].T.flatten(), lights[0]])
    jacobian = numeric(lambda x: pixels(x, **optics), at)
    if plane:
        jacobian = without_planes(jacobian, 1, 9)
    expected = jacobian.T @ jacobian / 9
    assert torch.allclose(own, expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))
    weighted = torch.ones(9, 9)
    same = target_information(
        places[0], lights[0], noise=3.0, plane=plane, share=weighted, **optics
    )
    assert torch.allclose(same, own, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("motion", ["smooth", "free", "still"])
@pytest.mark.parametrize("flicker", [False, True])
def test_information_of_several_frames_is_that_of_finite_differences(motion, flicker):
    places, lights = scene(3, frames=5)
    design = shared_design(5, 3, motion=motion, degree=2, flicker=flicker)
    assert (
        design.shape[-1] == 6 + {"smooth": 4, "free": 8, "still": 0}[motion] + 3 * (1, 5)[flicker]
    )
    start = torch.cat([places.transpose(1, 2).flatten(1), lights], 1)  # (T, 3K)
    theta = torch.linalg.lstsq(design.flatten(0, 1), start.flatten()[:, None]).solution[:, 0]
    numbers = design @ theta
    if motion != "still":
        assert torch.allclose(numbers, start)  # such a motion is in the model
    own = joint_information(
        target_information(
            torch.stack(numbers.unflatten(1, (3, 3)).unbind(1)[:2], -1), numbers[:, 6:], noise=2.0
        ),
        design,
    )
    jacobian = without_planes(numeric(lambda x: pixels(design @ x), theta), 5, 11)
    expected = jacobian.T @ jacobian / 4
    assert torch.allclose(own, expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))


def test_a_saturated_pixel_gives_what_a_censored_normal_number_does():
    """Information of min(x, limit), from its definition: the mean square of the score."""
    for mean in (240.0, 252.0, 255.0, 259.0, 270.0):
        z = (255 - mean) / 3
        seen = quad(lambda x, m=mean: ((x - m) / 3) ** 2 * norm.pdf(x, m, 3), mean - 40, 255)[0]
        cut = norm.pdf(z) ** 2 / norm.sf(z)
        own = censored_share(torch.tensor([[mean]]).double(), 255.0, 3.0).item()
        assert own == pytest.approx(seen + cut, abs=1e-6)
    far = censored_share(torch.tensor([[-1e4, 1e4]]).double(), 255.0, 3.0)
    assert far[0].tolist() == pytest.approx([1, 0], abs=1e-12)


def test_a_dark_share_takes_the_pixels_out():
    places, lights = scene(2)
    share = torch.ones(11, 11)
    share[5, 4:6] = 0
    own = target_information(places[0], lights[0], share=share, plane=False)
    jacobian = numeric(pixels, torch.cat([places[0].T.flatten(), lights[0]]))
    jacobian = jacobian * share.flatten()[:, None]
    assert torch.allclose(own, jacobian.T @ jacobian, rtol=1e-6, atol=1e-3)
    nothing = target_information(places[0], lights[0], share=torch.zeros(11, 11))
    assert position_sd(position_covariances(covariance(nothing))).min() > 1e3


def test_covariances_are_those_of_fits_to_many_noisy_frames():
    """One target, 4,000 draws: the linear estimate scatters as the bound says."""
    places, lights = scene(1)
    random = torch.Generator().manual_seed(0)
    known = covariance(target_information(places[0], lights[0], noise=4.0))
    jacobian = without_planes(numeric(pixels, torch.cat([places[0, 0], lights[0]])), 1, 11)
    noise = 4 * torch.randn(4000, 121, generator=random, dtype=torch.float64)
    found = noise @ torch.linalg.pinv(jacobian).T
    scale = known.diagonal().rsqrt()  # the units differ
    apart = (found.T.cov() - known) * scale[:, None] * scale
    assert apart.abs().max() < 4 * 4000**-0.5
    covariances = position_covariances(known)
    assert torch.equal(covariances[0], known[:2, :2])
    assert position_sd(covariances).item() == pytest.approx(
        np.sqrt((known[0, 0] + known[1, 1]).item() / 2)
    )


def test_the_circle_of_equal_area_tells_how_likely_a_small_error_is():
    """Of 400,000 draws from two ellipses, those within a radius that is small beside either."""
    random = torch.Generator().manual_seed(0)
    for along, across, angle in ((0.2, 0.05, 0.3), (0.1, 0.1, 0.0)):
        turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        scale = turn.double() @ torch.diag(torch.tensor([along, across]).double())
        drawn = torch.randn(400_000, 2, generator=random, dtype=torch.float64) @ scale.mT
        share = (drawn.norm(dim=1) < 0.02).double().mean().item()
        sd = equal_area_sd(scale @ scale.mT).item()
        assert sd == pytest.approx((along * across) ** 0.5)
        assert share == pytest.approx(0.02**2 / (2 * sd**2), rel=0.06)


def test_a_direction_that_nobody_knows_makes_no_target_sure():
    """In float32 the determinant of a thin ellipse is anything, negative numbers included."""
    scale = torch.tensor([3e3, 0.05]).double().diag()
    angles = torch.linspace(0, 3, 40, dtype=torch.float64)
    turns = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], 1).view(-1, 2, 2)
    covariances = turns @ scale @ scale @ turns.mT
    thin = equal_area_sd(covariances.float())
    assert (torch.linalg.det(covariances.float()) <= 0).any()
    assert thin.min() > 10
    known = torch.tensor([[0.02, 0.01], [0.01, 0.02]])
    assert equal_area_sd(known).item() == pytest.approx(0.0003**0.25, rel=1e-6)


def test_spare_slots_are_no_targets():
    places, lights = scene(3)
    active = torch.tensor([True, False, True])
    own = target_information(places[0], lights[0], active=active)
    two = target_information(places[0][active], lights[0][active])
    rows = torch.tensor([0, 2, 3, 5, 6, 8])
    assert torch.allclose(own[rows][:, rows], two) and own[1].abs().sum() == 0
    known = covariance(own)
    assert torch.allclose(known[rows][:, rows], covariance(two)) and known[1, 1] > 1e12


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match="'wild' is unknown"):
        shared_design(5, 2, motion="wild")
    with pytest.raises(ValueError, match="0 frames"):
        shared_design(0, 2)
    with pytest.raises(ValueError, match="4 numbers"):
        position_covariances(torch.eye(4))
