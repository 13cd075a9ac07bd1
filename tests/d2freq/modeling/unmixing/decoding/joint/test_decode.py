"""Targets of several frames at once: better than each frame by itself, and honest about errors."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from d2freq.data.seqcsist.frames import observe
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.errors import UserError
from d2freq.evaluation.cso.metric import cso_map
from d2freq.modeling.unmixing.decoding.decode import decode_targets
from d2freq.modeling.unmixing.decoding.joint.decode import decode_windows
from d2freq.ops.psf import render


def drawn(noise, *, count=6, seed=0, **rules):
    """Frames (B, 20, 11, 11) and the trajectories that they show."""
    trajectories = [draw_trajectory(Rules(**rules), "test", number) for number in range(count)]
    frames = [torch.from_numpy(observe(t.positions, t.intensities)) for t in trajectories]
    random = torch.Generator().manual_seed(seed)
    clean = torch.stack(frames)
    return clean + noise * torch.randn(clean.shape, generator=random), trajectories


def measured(found, trajectories):
    """CSO-mAP of all frames, and the share of right numbers."""
    truth = [frame for one in trajectories for frame in one.positions]
    own = [targets for one in found for targets in one]
    detections = [
        np.column_stack([targets.points[:, :2].numpy(), targets.scores().numpy()])
        for targets in own
    ]
    right = np.mean([len(a) == len(b) for a, b in zip(detections, truth, strict=True)])
    return 100 * cso_map(detections, truth)["CSO-mAP"], right


def farthest(found, trajectories):
    """Largest error in pixels, of pairs as near as can be; infinite where a number is wrong."""
    worst = 0.0
    for own, one in zip(found, trajectories, strict=True):
        for targets, truth in zip(own, one.positions, strict=True):
            if len(targets.points) != len(truth):
                return np.inf
            apart = np.linalg.norm(targets.points[:, None, :2].numpy() - truth, axis=2)
            worst = max(worst, apart[linear_sum_assignment(apart)].max())
    return worst


@pytest.fixture(scope="module")
def noisy():
    return drawn(3.0)


@pytest.fixture(scope="module")
def by_length(noisy):
    """Decoded by windows of five, and by whole trajectories."""
    return {window: decode_windows(None, noisy[0], window=window) for window in (5, None)}


def test_more_frames_are_better(noisy, by_length):
    frames, trajectories = noisy
    alone = decode_targets(torch.zeros(120, 33, 33), frames.flatten(0, 1))
    alone = [alone[place : place + 20] for place in range(0, 120, 20)]
    scores = [measured(f, trajectories) for f in (alone, by_length[5], by_length[None])]
    assert all(right > 0.99 for _, right in scores)
    one, five, all_frames = (score for score, _ in scores)
    assert five > one + 8 and five > 55 and all_frames > five + 8 and all_frames > 70


def test_stated_deviations_are_those_of_the_errors():
    """In 68 of 100 cases the error of an axis is within one: 40 trajectories of their own."""
    frames, trajectories = drawn(3.0, count=40, frames=5)
    within = []
    for own, one in zip(decode_windows(None, frames, window=5), trajectories, strict=True):
        targets, truth = own[2], one.positions[2]
        assert len(targets.points) == len(truth)
        apart = targets.points[:, None, :2].double().numpy() - truth
        rows, columns = linear_sum_assignment(np.linalg.norm(apart, axis=2))
        deviation = targets.covariances.diagonal(dim1=1, dim2=2).sqrt().numpy()
        within.append(np.abs(apart[rows, columns]) < deviation[rows])
    assert 0.58 < np.concatenate(within).mean() < 0.78


def test_clean_frames_give_every_target_and_drift_is_followed():
    frames, trajectories = drawn(0.0, count=4)
    for window in (1, 3, 5, None):
        assert farthest(decode_windows(None, frames, window=window), trajectories) < 0.03
    wide, apart = drawn(0.0, count=3, drift=0.01, distance=0.5)
    assert farthest(decode_windows(None, wide, window=None), apart) < 0.03


def test_intensities_that_flicker_are_their_frame_s_own():
    frames, trajectories = drawn(1.0, flicker=True, intensity=(100.0, 400.0), targets=(2, 2))
    known = {"window": None, "brightness": (100.0, 400.0), "saturation": None}
    found = decode_windows(None, frames, flicker=True, **known)
    assert measured(found, trajectories)[0] > 90
    assert (
        measured(found, trajectories)[0]
        > measured(decode_windows(None, frames, **known), trajectories)[0] + 5
    )
    truth = np.sort(trajectories[0].intensities, 1)[:, ::-1]
    bright = np.stack([targets.points[:, 2].numpy() for targets in found[0]])
    assert np.abs(bright - truth).mean() < 15 < np.std(truth)


def test_saturated_pixels_are_lower_bounds(noisy):
    clean, trajectories = drawn(0.0)
    eight_bit = clean.round().clamp(0, 255)
    aware = decode_windows(None, eight_bit, window=None)
    blind = decode_windows(None, eight_bit, window=None, saturation=None)
    assert measured(aware, trajectories)[0] > 95 > measured(blind, trajectories)[0]


def test_a_background_that_is_a_plane_and_trajectories_by_themselves(noisy, by_length):
    frames, _ = noisy
    slope = torch.arange(11.0)
    plane = 40 + 2 * slope[:, None] - slope
    for own, other in (
        (decode_windows(None, frames[:2] + plane, window=None), by_length[None][:2]),
        (decode_windows(None, frames[1:2], window=5), by_length[5][1:2]),
    ):
        for one, two in zip(own[0], other[0], strict=True):
            assert torch.allclose(one.points, two.points, atol=0.05)


def test_short_trajectories_empty_frames_and_a_grid_as_start():
    places = torch.tensor([[5.0, 5.0], [5.0, 5.6]]) + 0.04 * torch.arange(3.0)[:, None, None]
    frames = render(places, torch.full((3, 2), 235.0))
    (found,) = decode_windows(None, frames[None], window=5)
    assert [len(targets.points) for targets in found] == [2, 2, 2]
    grid = torch.zeros(1, 3, 33, 33)
    grid[0, :, 16, 16] = 235
    (other,) = decode_windows(grid, frames[None], window=5)
    assert torch.allclose(found[1].points[:, :2].sum(0), other[1].points[:, :2].sum(0), atol=1e-3)
    (nothing,) = decode_windows(None, torch.zeros(1, 6, 11, 11), window=3)
    assert [tuple(targets.points.shape) for targets in nothing] == [(0, 3)] * 6
    assert decode_windows(None, torch.zeros(0, 6, 11, 11), window=3) == []


def test_input_that_does_not_fit_is_refused():
    frames = torch.zeros(1, 5, 11, 11)
    with pytest.raises(UserError, match="odd number"):
        decode_windows(None, frames, window=4)
    with pytest.raises(UserError, match="does not fit"):
        decode_windows(torch.zeros(1, 5, 22, 22), frames, window=5)
    with pytest.raises(UserError, match="NaN"):
        decode_windows(None, frames + torch.nan, window=5)
