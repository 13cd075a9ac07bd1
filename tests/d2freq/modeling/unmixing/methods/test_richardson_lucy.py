"""Richardson-Lucy against a naive loop, its invariants, its CSO-mAP, and the blind choice."""

import pytest
import torch

from d2freq.data.seqcsist.frames import add_noise, observe
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.errors import UserError
from d2freq.evaluation.cso.metric import cso_map, grid_detections
from d2freq.modeling.unmixing import RichardsonLucy
from d2freq.ops.psf import render, sampling_matrix


@pytest.fixture(scope="module")
def scene():
    """The middle frames of 20 test trajectories, every fourth, and where their targets are."""
    frames, truth = [], []
    for number in range(20):
        drawn = draw_trajectory(Rules(), "test", number)
        seen = observe(drawn.positions, drawn.intensities)[2:18:4]
        frames.append(torch.from_numpy(seen)[:, None])
        truth += list(drawn.positions[2:18:4])
    return torch.cat(frames), truth


def test_equals_a_naive_loop_with_the_whole_matrix(scene):
    frames = scene[0][:3]
    phi, y = sampling_matrix(), frames.flatten(1).double()
    x = torch.ones(3, 1089, dtype=torch.float64)
    for _ in range(30):
        x = x / phi.sum(0) * ((y / (x @ phi.T)) @ phi)
    found = RichardsonLucy(iterations=30).estimate(frames).flatten(1).double()
    assert (found - x).abs().max() < 1e-3 * x.max()


def test_light_stays_and_nothing_is_negative(scene):
    """The frame that the grid shows has the light of the frame; negative pixels count as dark."""
    model = RichardsonLucy(iterations=20)
    grids = model.estimate(torch.cat([scene[0][:2], scene[0][:1] - 3]))
    assert (grids >= 0).all()
    shown = model.choices[0].measure(grids).sum((1, 2, 3))
    lit = torch.cat([scene[0][:2], (scene[0][:1] - 3).clamp(min=0)]).sum((1, 2, 3))
    assert torch.allclose(shown, lit, rtol=1e-3)
    assert not RichardsonLucy(iterations=3).estimate(torch.zeros(1, 1, 11, 11)).any()


def test_cso_map_of_the_facts(scene):
    """32.8 after 100 iterations on 640 frames; more in RESULTS.md."""
    grids = RichardsonLucy(iterations=100).estimate(scene[0])
    found = [grid_detections(grid[0].numpy()) for grid in grids]
    assert 100 * cso_map(found, scene[1])["CSO-mAP"] == pytest.approx(32.8, abs=4)


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_the_blind_choice_finds_the_width_of_the_spot(noise):
    """Of one target and of three, among narrower widths, which explain everything."""
    one, three = torch.tensor([[5.1, 4.8]]), torch.tensor([[5.1, 4.8], [5.4, 4.8], [5.1, 4.5]])
    frames = torch.stack(
        [
            render(where, torch.full((len(where),), 230.0), sigma=sigma)
            for sigma in (0.4, 0.5, 0.65)
            for where in (one, three)
        ]
    )[:, None]
    frames = add_noise(frames, noise, torch.Generator().manual_seed(0))
    model = RichardsonLucy(sigmas=(0.5, 0.3, 0.4, 0.65, 0.8), iterations=60)
    grids, widths = model.blind(frames)
    assert widths.tolist() == pytest.approx([0.4, 0.4, 0.5, 0.5, 0.65, 0.65])
    known = RichardsonLucy(sigma=0.5, iterations=60).estimate(frames[2:4])
    assert torch.allclose(grids[2:4], known, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"offset": -1.0}, {"sigmas": (0.5, 0.0)}])
def test_wrong_values_are_named(wrong):
    with pytest.raises(UserError, match="MODEL.RICHARDSONLUCY: ITERATIONS.*OFFSET.*SIGMAS"):
        RichardsonLucy(**wrong)
