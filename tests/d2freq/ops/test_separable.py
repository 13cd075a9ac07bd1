"""Products by the axes of the optics, and the exact data step, against dense matrices."""

import pytest
import torch

from d2freq.ops.psf import sampling_factor, sampling_matrix
from d2freq.ops.separable import measure, modes, nearest_consistent, spread

AXIS, PHI = sampling_factor(), sampling_matrix()


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_products_are_those_of_the_whole_matrix():
    grids, frames = draw(3, 33, 33), draw(3, 11, 11, seed=1)
    assert torch.allclose(measure(grids, AXIS).flatten(1), grids.flatten(1) @ PHI.T, atol=1e-12)
    assert torch.allclose(spread(frames, AXIS).flatten(1), frames.flatten(1) @ PHI, atol=1e-12)


def test_eigenvalues_of_an_axis():
    values, vectors = modes(AXIS)
    assert float(values[0]) == pytest.approx(0.2333, abs=5e-5)
    assert float(values[-1]) == pytest.approx(2.9303, abs=5e-5)
    assert torch.allclose(vectors @ torch.diag(values) @ vectors.T, AXIS @ AXIS.T, atol=1e-12)
    assert float(values[-1]) == pytest.approx(float(torch.linalg.matrix_norm(PHI, 2)), rel=1e-9)


@pytest.mark.parametrize("weight", [1e-3, 0.3, 50.0])
def test_the_data_step_is_the_dense_solution(weight):
    """(Phi^T Phi + alpha) x = Phi^T y + alpha z, 1,089 equations."""
    grids, frames = draw(2, 33, 33), draw(2, 11, 11, seed=1)
    found = nearest_consistent(grids, frames, AXIS, *modes(AXIS), weight).flatten(1)
    right = frames.flatten(1) @ PHI + weight * grids.flatten(1)
    left = PHI.T @ PHI + weight * torch.eye(1089, dtype=torch.float64)
    dense = torch.linalg.solve(left, right.T).T
    assert (found - dense).abs().max() < 1e-10


def test_each_frame_has_its_own_weight():
    grids, frames = draw(2, 1, 33, 33), draw(2, 1, 11, 11, seed=1)
    weights = torch.tensor([0.1, 2.0], dtype=torch.float64)[:, None, None, None]
    both = nearest_consistent(grids, frames, AXIS, *modes(AXIS), weights)
    for number, weight in enumerate((0.1, 2.0)):
        one = nearest_consistent(grids[number], frames[number], AXIS, *modes(AXIS), weight)
        assert torch.allclose(both[number], one, atol=1e-12)
