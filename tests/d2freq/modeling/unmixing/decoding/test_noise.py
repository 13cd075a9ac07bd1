"""Decoding of frames with noise and saturation, and the fit beneath against scipy."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from d2freq.evaluation.cso.metric import cso_map, grid_detections
from d2freq.modeling.unmixing.decoding.decode import decode
from d2freq.modeling.unmixing.decoding.levenberg_marquardt import criterion, fit, residuals
from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.ops.psf import pixel_to_grid, render

DIRECTIONS = torch.tensor([[-1, 0], [1, 0], [0, -1], [0, 1]], dtype=torch.float64)


@pytest.fixture(scope="module")
def scene():
    """Positions (90, K, 2) by K, frames (90, 11, 11) and perfect grids of 2, 3 and 4 targets."""
    random = torch.Generator().manual_seed(0)
    truth, frames, grids = [], [], []
    for number in range(90):
        count = 2 + number % 3
        centre = 1 + 8 * torch.rand(2, generator=random, dtype=torch.float64)
        targets = centre + 0.31 * DIRECTIONS[torch.randperm(4, generator=random)[:count]]
        bright = 220 + 30 * torch.rand(count, generator=random, dtype=torch.float64)
        grid = torch.zeros(33, 33)
        grid[tuple(pixel_to_grid(targets).T)] = bright.float()
        truth.append(targets)
        frames.append(render(targets, bright).float())
        grids.append(grid)
    return truth, torch.stack(frames), torch.stack(grids)


def measured(points, truth) -> float:
    return 100 * cso_map([p.numpy() for p in points], [t.numpy() for t in truth])["CSO-mAP"]


def test_noise_costs_accuracy_but_the_number_stays(scene):
    truth, frames, grids = scene
    scores = {}
    for sigma in (0, 2, 5):
        noise = torch.randn(frames.shape, generator=torch.Generator().manual_seed(1))
        points = decode(grids, frames + sigma * noise)
        right = [len(p) == len(t) for p, t in zip(points, truth, strict=True)]
        assert np.mean(right) > 0.98
        scores[sigma] = measured(points, truth)
    grid = measured([torch.from_numpy(grid_detections(g.numpy())) for g in grids], truth)
    assert scores[0] > 99.9 and scores[0] > scores[2] > scores[5]
    assert scores[5] > grid + 5  # cells of a perfect grid score 48


def test_saturated_pixels_are_taken_as_lower_bounds(scene):
    truth, frames, grids = scene
    eight_bit = frames.round().clamp(0, 255)
    assert (eight_bit == 255).any(-1).any(-1).float().mean() > 0.3
    aware = measured(decode(grids, eight_bit), truth)
    blind = measured(decode(grids, eight_bit, saturation=None), truth)
    assert aware > 80 > 70 > blind


def test_other_intensities_need_their_own_range(scene):
    """With that of SeqCSIST even the number of dimmer targets comes out wrong."""
    truth, frames, grids = scene
    share = 0.5  # 110 to 125 grey levels
    dim = share * frames + torch.randn(frames.shape, generator=torch.Generator().manual_seed(1))
    found = {key: decode(share * grids, dim, brightness=key) for key in ((110, 125), (220, 250))}
    right = {
        key: np.mean([len(p) == len(t) for p, t in zip(points, truth, strict=True)])
        for key, points in found.items()
    }
    assert right[110, 125] > 0.95 and right[220, 250] < 0.3
    assert measured(found[110, 125], truth) > measured(found[220, 250], truth) + 30


def problem(count, saturation=None):
    """A noisy frame and a start: (1, 11, 11), Fit, Prior."""
    random = torch.Generator().manual_seed(count)
    centre = torch.tensor([4.6, 5.8], dtype=torch.float64)
    targets = (centre + 0.6 * DIRECTIONS[:count])[None]
    bright = torch.full((1, count), 235.0, dtype=torch.float64)
    frame = render(targets, bright)
    frame = frame + 2 * torch.randn(frame.shape, generator=random, dtype=frame.dtype)
    active = torch.ones(1, count, dtype=torch.bool)
    start = targets + 0.1 * torch.randn(targets.shape, generator=random, dtype=frame.dtype)
    objective = torch.full((1,), torch.inf, dtype=frame.dtype)
    return (
        frame,
        Fit(start, bright, active, start, active, objective),
        Prior(0.5, (235.0, 8.66), 0.15, 1e-3, saturation),
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_fit_is_the_minimum_that_scipy_finds(count):
    frame, start, prior = problem(count)
    found = fit(frame, start, prior, steps=60)
    sigma = residuals(frame, found, prior).square().mean().sqrt().item()
    anchors = start.anchors[0].numpy()
    i = np.arange(11.0)
    planes = np.stack([np.ones(121), np.repeat(i, 11), np.tile(i, 11)], 1)

    def terms(values):
        """With the noise known, the objective is a sum of squares; the plane is fitted too."""
        numbers = torch.from_numpy(values[:-3].reshape(count, 3))
        model = render(numbers[:, :2], numbers[:, 2]).numpy().ravel() + planes @ values[-3:]
        away = (values[:-3].reshape(count, 3)[:, :2] - anchors) / prior.reach
        bright = (values[:-3].reshape(count, 3)[:, 2] - 235.0) / 8.66
        return np.concatenate([(frame.numpy().ravel() - model) / sigma, away.ravel(), bright])

    begin = np.concatenate([anchors, np.full((count, 1), 235.0)], 1).ravel()
    other = least_squares(terms, np.append(begin, [0.0, 0.0, 0.0]), xtol=1e-12, ftol=1e-12)
    expected = other.x[:-3].reshape(count, 3)
    assert np.allclose(found.positions[0].numpy(), expected[:, :2], atol=1e-3)
    assert np.allclose(found.intensities[0].numpy(), expected[:, 2], atol=0.1)


def test_the_fit_never_gets_worse_and_spare_slots_change_nothing():
    frame, start, prior = problem(3)
    objectives = [fit(frame, start, prior, steps=n).objective.item() for n in (1, 3, 10, 40)]
    assert objectives == sorted(objectives, reverse=True)
    wide = fit(frame, start.padded(4), prior, steps=40)
    assert wide.active.sum() == 3 and wide.objective.item() == pytest.approx(objectives[-1])
    assert criterion(wide, 121).item() == pytest.approx(objectives[-1] + 9 * np.log(121))
