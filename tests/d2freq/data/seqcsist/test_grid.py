"""Ground truth on the grid, and the least-squares start that is fitted to it."""

import numpy as np
import pytest
import torch

from d2freq.data.seqcsist.frames import observe
from d2freq.data.seqcsist.grid import count_collided, grid_targets
from d2freq.data.seqcsist.q_init_fit import least_squares
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.errors import DatasetError
from d2freq.ops.psf import sampling_matrix


def draw(count: int, **rules):
    tracks = [draw_trajectory(Rules(**rules), "train", index) for index in range(count)]
    return [(torch.from_numpy(t.positions), torch.from_numpy(t.intensities)) for t in tracks]


def test_cells_equal_the_published_loop():
    for positions, intensities in draw(60):
        expected = np.zeros((20, 33, 33))
        for time in range(20):
            for (row, column), light in zip(positions[time], intensities[time], strict=True):
                expected[time, round(3 * float(row) + 1), round(3 * float(column) + 1)] = light
        grid = grid_targets(positions, intensities)
        assert grid.shape == (20, 33, 33) and np.array_equal(grid.numpy(), expected)


def test_the_later_of_two_targets_keeps_the_cell_and_the_loss_is_counted():
    positions = torch.tensor([[[5.0, 5.0], [5.1, 5.1], [7, 7]], [[5, 5], [6, 6], [7, 7]]]).double()
    light = torch.tensor([[220.0, 240.0, 230.0]] * 2).double()
    grid = grid_targets(positions, light)
    assert grid[0, 16, 16] == 240 and grid[1, 16, 16] == 220
    assert count_collided(positions) == 1
    assert grid_targets(positions.flip(1), light.flip(1))[0, 16, 16] == 220
    assert count_collided(positions[:, :1].expand(2, 3, 2)) == 4  # three in one cell: two lost


def test_targets_outside_are_refused_and_those_on_the_border_are_not():
    light = torch.ones(1, 1).double()
    for at in ([-0.5, 10.5], [10.5, -0.5]):
        assert grid_targets(torch.tensor([[at]]).double(), light).sum() == 1
    for at in ([-0.8, 5.0], [5.0, 10.9]):
        with pytest.raises(DatasetError, match="outside a frame of 11 x 11"):
            grid_targets(torch.tensor([[at]]).double(), light)


def test_start_equals_lstsq():
    size, factor = 5, 2
    rules = {"size": size, "curves": ("line",), "slope": 0.3, "targets": (1, 2)}
    truth = draw(40, **rules)
    found = least_squares(truth, size=size, factor=factor, sigma=0.4)
    phi = sampling_matrix(size, factor, 0.4).numpy()
    images = [grid_targets(*one, size=size, factor=factor).view(20, -1).numpy() for one in truth]
    wanted = np.concatenate(images)
    frames = wanted @ phi.T
    expected = np.linalg.lstsq(frames, wanted, rcond=None)[0].T
    assert found.shape == (100, 25) and found.dtype == torch.float64
    assert np.allclose(frames @ found.numpy().T, frames @ expected.T, atol=1e-4)
    assert np.allclose(found.numpy(), expected, atol=1e-4 * np.abs(expected).max())


def test_ridge_is_relative_to_the_mean_eigenvalue():
    truth = draw(30)
    images = torch.cat([grid_targets(*one).view(-1, 1089) for one in truth])
    frames = images @ sampling_matrix().T
    normal = frames.T @ frames
    normal += 1e-4 * normal.trace() / 121 * torch.eye(121)
    expected = images.T @ frames @ torch.linalg.inv(normal)
    assert torch.allclose(least_squares(truth, ridge=1e-4), expected, atol=1e-8)
    # intensities in other units change nothing
    dim = [(positions, light / 255) for positions, light in truth]
    dimmer = least_squares(dim, ridge=1e-4)
    assert torch.allclose(dimmer, expected, atol=1e-8)


def test_published_start_is_without_a_ridge_and_gives_back_what_it_sees():
    """Q = X Y^T (Y Y^T)^-1, so that Phi Q = Y Y^T (Y Y^T)^-1 = 1."""
    truth, phi = draw(200), sampling_matrix()
    images = torch.cat([grid_targets(*one).view(-1, 1089) for one in truth])
    frames = images @ phi.T
    found = least_squares(truth)
    expected = images.T @ frames @ torch.linalg.inv(frames.T @ frames)
    assert torch.allclose(found, expected, atol=1e-5 * expected.abs().max())
    assert torch.allclose(phi @ found, torch.eye(121).double(), atol=1e-5)
    assert not torch.allclose(found, least_squares(truth, ridge=1e-4), atol=1e-2)


def test_pixels_that_no_target_lights_have_no_weight():
    truth = draw(1)
    images = grid_targets(*truth[0]).view(20, 1089)
    frames, found = images @ sampling_matrix().T, least_squares(truth)
    dark = frames.amax(0) < 1e-12
    assert dark.sum() > 30 and found[:, dark].abs().max() < 1e-8
    assert torch.allclose(frames @ found.T, images, atol=1e-3)


def test_start_is_nearer_to_the_truth_than_the_transpose():
    train, held_out = draw(200), draw(260)[200:]
    start, phi = least_squares(train), sampling_matrix()
    error, transposed, nothing = 0.0, 0.0, 0.0
    for positions, light in held_out:
        image = grid_targets(positions, light).view(20, -1)
        frames = torch.from_numpy(observe(positions.numpy(), light.numpy())).double().view(20, -1)
        error += float(((frames @ start.T - image) ** 2).sum())
        transposed += float(((frames @ phi - image) ** 2).sum())
        nothing += float((image**2).sum())
    assert error < 0.9 * nothing and error < transposed
