"""Sub-pixel decoding of clean frames: exact for any start, at the border, for any number."""

import math

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.unmixing.decoding.decode import decode
from d2freq.ops.psf import pixel_to_grid, render, sampling_matrix

DIRECTIONS = torch.tensor([[-1, 0], [1, 0], [0, -1], [0, 1]], dtype=torch.float64)


def clusters(number, count, *, low=1.0, high=9.0, seed=0):
    """``number`` groups in SeqCSIST's geometry: positions (N, K, 2), intensities (N, K)."""
    random = torch.Generator().manual_seed(seed)
    centre = low + (high - low) * torch.rand(number, 1, 2, generator=random, dtype=torch.float64)
    picks = torch.stack([torch.randperm(4, generator=random)[:count] for _ in range(number)])
    distance = 0.3 + 0.0266 * torch.rand(number, count, 1, generator=random, dtype=torch.float64)
    intensities = 220 + 30 * torch.rand(number, count, generator=random, dtype=torch.float64)
    return centre + distance * DIRECTIONS[picks], intensities


def perfect(positions, intensities):
    """The ground-truth grid (N, 33, 33)."""
    grid = torch.zeros(len(positions), 33, 33)
    rows, columns = pixel_to_grid(positions).unbind(-1)
    grid[torch.arange(len(positions))[:, None], rows, columns] = intensities.float()
    return grid


def farthest(points, positions):
    """Largest distance of a target to the decoded one that is its own; inf for another number."""
    worst = 0.0
    for found, targets in zip(points, positions, strict=True):
        if len(found) != len(targets):
            return math.inf
        distance = torch.cdist(targets, found[:, :2].double())
        if len(set(distance.argmin(1).tolist())) < len(targets):
            return math.inf
        worst = max(worst, distance.min(1).values.max().item())
    return worst


def test_two_targets_at_any_distance_from_0_6_down():
    angle = torch.linspace(0, math.pi, 9, dtype=torch.float64)[:-1]
    for distance in (0.6, 0.45, 0.3):
        half = distance / 2 * torch.stack([angle.cos(), angle.sin()], 1)
        middle = torch.tensor([4.9, 5.3], dtype=torch.float64)
        positions = torch.stack([middle + half, middle - half], 1)
        intensities = torch.tensor([[223.0, 246.0]], dtype=torch.float64).expand(8, 2)
        frames = render(positions, intensities).float()
        for grid in (perfect(positions, intensities), torch.zeros(8, 33, 33)):
            points = decode(grid, frames)
            assert farthest(points, positions) < 0.001
            found = torch.stack(points)[..., 2]
            assert torch.allclose(found, torch.tensor([246.0, 223.0]), atol=0.5)


@pytest.mark.parametrize(("count", "tolerance"), [(2, 0.001), (3, 0.002), (4, 0.02)])
def test_groups_as_in_the_data_set_from_a_perfect_a_poor_and_an_empty_grid(count, tolerance):
    positions, intensities = clusters(16, count, seed=count)
    frames = render(positions, intensities).float()
    phi = sampling_matrix()
    damped = phi.T @ torch.linalg.inv(phi @ phi.T + 1e-3 * torch.eye(121, dtype=phi.dtype))
    smeared = (frames.double().flatten(1) @ damped.T).reshape(-1, 33, 33)
    for grid in (perfect(positions, intensities), smeared, torch.zeros(16, 33, 33)):
        assert farthest(decode(grid, frames), positions) < tolerance


def test_the_number_follows_without_any_knowledge_of_intensities():
    for count in (1, 2, 3):
        positions, intensities = clusters(8, count, seed=10 + count)
        frames = render(positions, intensities * 1.7).float()
        points = decode(perfect(positions, intensities), frames, brightness=())
        assert farthest(points, positions) < 0.01
        brightest = torch.stack(points)[:, 0, 2].double()
        assert torch.allclose(brightest, 1.7 * intensities.amax(1), rtol=0.02)


def test_far_targets_and_groups_at_the_border():
    """The data set keeps about a pixel away; at a corner itself most of a spot is lost."""
    cases = ((0.6, 1, 0.001), (0.6, 2, 0.01), (0.6, 3, 0.02), (0.6, 4, 0.03))
    for low, count, tolerance in (*cases, (0.0, 1, 0.001), (0.0, 2, 0.15)):
        positions, intensities = clusters(12, count, low=low, high=low + 0.3)
        frames = render(positions, intensities).float()
        grid = perfect(positions.clamp(min=-0.3), intensities)
        assert farthest(decode(grid, frames), positions) < tolerance
    apart = torch.tensor([[[0.2, 9.8], [5.0, 5.0], [9.7, 0.4], [5.4, 5.2]]], dtype=torch.float64)
    bright = torch.tensor([[230.0, 240.0, 225.0, 235.0]], dtype=torch.float64)
    assert farthest(decode(torch.zeros(1, 33, 33), render(apart, bright).float()), apart) < 0.002


def test_order_of_targets_and_of_frames_does_not_matter():
    positions, intensities = clusters(6, 4, seed=3)
    frames, grid = render(positions, intensities).float(), perfect(positions, intensities)
    points = decode(grid, frames)
    turned = decode(grid.mT, frames.mT)
    backward = decode(grid.flip(0), frames.flip(0))[::-1]
    alone = [decode(grid[i : i + 1], frames[i : i + 1])[0] for i in range(6)]
    for one, other, reverse, single in zip(points, turned, backward, alone, strict=True):
        assert torch.allclose(one, other[:, [1, 0, 2]], atol=0.05)
        assert torch.allclose(one, reverse, atol=0.05) and torch.allclose(one, single, atol=0.05)
        assert (one[:-1, 2] >= one[1:, 2]).all() and one.dtype == torch.float32


def test_an_empty_frame_has_no_targets_and_a_plane_is_no_target():
    slope = torch.arange(11.0)
    plane = 20 + 1.5 * slope[:, None] - 0.7 * slope
    frames = torch.stack([torch.zeros(11, 11), plane])
    points = decode(torch.zeros(2, 33, 33), frames)
    assert [tuple(found.shape) for found in points] == [(0, 3), (0, 3)]
    positions, intensities = clusters(8, 3, seed=4)
    frames = render(positions, intensities).float() + plane
    assert farthest(decode(perfect(positions, intensities), frames), positions) < 0.01
    assert decode(torch.zeros(0, 33, 33), torch.zeros(0, 11, 11)) == []


def test_targets_below_the_threshold_are_left_out():
    places = torch.tensor([[[3.0, 3.0], [7.0, 7.2]]], dtype=torch.float64)
    frames = render(places, torch.tensor([[230.0, 50.0]], dtype=torch.float64)).float()
    (found,) = decode(torch.zeros(1, 33, 33), frames, brightness=())
    assert len(found) == 1 and torch.allclose(found[0, :2], torch.tensor([3.0, 3.0]), atol=0.02)
    (both,) = decode(torch.zeros(1, 33, 33), frames, brightness=(), threshold=20.0)
    assert len(both) == 2


def test_input_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="does not fit"):
        decode(torch.zeros(2, 22, 22), torch.zeros(2, 11, 11))
    with pytest.raises(UserError, match="NaN"):
        decode(torch.full((1, 33, 33), torch.nan), torch.zeros(1, 11, 11))
