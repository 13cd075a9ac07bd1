"""ISTA and FISTA against a naive loop, the conditions of a minimum, and scipy's minimiser."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from d2freq.ops.psf import render, sampling_matrix
from d2freq.ops.shrinkage import soft_threshold, sparse_solution


@pytest.fixture(scope="module")
def frames():
    """Three frames of 5 x 5 pixels with two targets each, float64, and their Phi."""
    draw = torch.Generator().manual_seed(0)
    positions = 1 + 2 * torch.rand(3, 2, 2, generator=draw, dtype=torch.float64)
    levels = 220 + 30 * torch.rand(3, 2, generator=draw, dtype=torch.float64)
    return render(positions, levels, size=5).flatten(1), sampling_matrix(5)


def objective(x, y, phi, penalty):
    """F of each row: x (N, G), y (N, P), phi (P, G) -> (N,)."""
    return (y - x @ phi.T).square().sum(1) / 2 + penalty * x.abs().sum(1)


def naive(y, phi, x, penalty, count, accelerated):
    """The textbook's loop, a frame and a cell at a time."""
    step = 1 / np.linalg.norm(phi, 2) ** 2
    z, t = x.copy(), 1.0
    for _ in range(count):
        moved = z - step * phi.T @ (phi @ z - y)
        new = np.array([np.sign(v) * max(abs(v) - step * penalty, 0.0) for v in moved])
        z = new
        if accelerated:
            after = (1 + (1 + 4 * t * t) ** 0.5) / 2
            z, t = new + (t - 1) / after * (new - x), after
        x = new
    return x


@pytest.mark.parametrize("accelerated", [False, True])
def test_equals_a_naive_loop(frames, accelerated):
    y, phi = frames
    start = y @ torch.linalg.pinv(phi).T
    found, taken = sparse_solution(
        y, phi, start, penalty=2.0, accelerated=accelerated, iterations=30, tolerance=0.0
    )
    assert taken.tolist() == [30] * 3
    for row in range(3):
        want = naive(y[row].numpy(), phi.numpy(), start[row].numpy(), 2.0, 30, accelerated)
        assert np.allclose(found[row].numpy(), want, atol=1e-9)


def test_minimum_fulfils_the_conditions_of_convex_optimality(frames):
    """0 lies in the subdifferential: where x is not 0, the gradient is -penalty * sign(x)."""
    y, phi = frames
    x, _ = sparse_solution(
        y, phi, y @ phi, penalty=5.0, accelerated=True, iterations=100_000, tolerance=1e-8
    )
    gradient = (x @ phi.T - y) @ phi
    assert (gradient.abs() <= 5.0 + 1e-3).all()
    active = x.abs() > 1e-6
    assert 0 < active.sum() < x.numel()
    assert torch.allclose(gradient[active], -5.0 * x.sign()[active], atol=1e-3)


@pytest.mark.parametrize("nonnegative", [False, True])
def test_scipy_finds_no_lower_objective(frames, nonnegative):
    """With x = u - v and u, v >= 0 the objective is smooth in a box."""
    y, phi = frames
    x, _ = sparse_solution(
        y,
        phi,
        torch.zeros(3, 225, dtype=torch.float64),
        penalty=5.0,
        accelerated=True,
        nonnegative=nonnegative,
        iterations=20_000,
        tolerance=1e-9,
    )
    assert not nonnegative or (x >= 0).all()
    ours = objective(x, y, phi, 5.0)
    matrix = phi.numpy() if nonnegative else np.hstack([phi.numpy(), -phi.numpy()])
    for row in range(3):
        frame = y[row].numpy()

        def value(u, frame=frame):
            rest = matrix @ u - frame
            return rest @ rest / 2 + 5.0 * u.sum(), matrix.T @ rest + 5.0

        start, box = np.zeros(matrix.shape[1]), [(0, None)] * matrix.shape[1]
        limits = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-14, "gtol": 1e-9}
        best = minimize(value, start, jac=True, method="L-BFGS-B", bounds=box, options=limits)
        assert ours[row].item() == pytest.approx(best.fun, rel=1e-6)
        assert ours[row].item() <= best.fun * (1 + 1e-9)


def test_fista_comes_to_istas_minimum_sooner(frames):
    y, phi = frames
    objectives, counts = [], []
    for accelerated in (False, True):
        x, taken = sparse_solution(
            y,
            phi,
            y @ phi,
            penalty=5.0,
            accelerated=accelerated,
            iterations=100_000,
            tolerance=1e-5,
        )
        objectives.append(objective(x, y, phi, 5.0))
        counts.append(taken)
    assert torch.allclose(*objectives, rtol=1e-5)
    assert (counts[1] * 2 < counts[0]).all()


def test_a_start_changes_the_way_and_not_the_minimum(frames):
    y, phi = frames
    starts = torch.zeros(3, 225, dtype=torch.float64), y @ torch.linalg.pinv(phi).T
    found = [
        sparse_solution(
            y, phi, start, penalty=5.0, accelerated=True, iterations=50_000, tolerance=1e-6
        )[0]
        for start in starts
    ]
    assert torch.allclose(*(objective(x, y, phi, 5.0) for x in found), rtol=1e-6)


def test_each_frame_rests_by_itself(frames):
    """Frames that need other numbers of iterations do not change each other."""
    y, phi = frames
    y = torch.cat([y, torch.zeros_like(y[:1])])
    settings = dict(penalty=5.0, accelerated=True, iterations=2000, tolerance=1e-2)
    together, taken = sparse_solution(y, phi, y @ phi, **settings)
    assert taken[-1] == 1 and len(set(taken.tolist())) > 2 and taken.max() < 2000
    for row in range(4):
        one = y[row : row + 1]
        alone, count = sparse_solution(one, phi, one @ phi, **settings)
        assert torch.allclose(alone[0], together[row], atol=1e-9) and count == taken[row]


def test_soft_threshold_by_hand():
    x = torch.tensor([-3.0, -1.0, 0.0, 0.5, 2.0])
    assert soft_threshold(x, 1.0).tolist() == [-2.0, 0.0, 0.0, 0.0, 1.0]
    assert soft_threshold(x, -1.0).tolist() == [-4.0, -2.0, 0.0, 1.5, 3.0]  # a learned one
