"""The baselines of Tables 2 and 3: residual features, and alignment by a measured shift."""

import pytest
import torch

from d2freq.data.seqcsist.frames import add_noise, observe
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.modeling.derefnet.translation import shift_between, shifted
from d2freq.ops.psf import sampling_factor
from d2freq.ops.separable import spread

from .derefnet_cases import batch, small_derefnet


@pytest.mark.parametrize(("noise", "within"), [(0.0, 0.06), (3.0, 0.2)])
def test_shifts_of_the_generators_frames(noise, within):
    """Two frames away, in cells of a third of a pixel; targets drift apart by far less."""
    axis, errors, sizes = sampling_factor(), [], []
    for number in range(12):
        drawn = draw_trajectory(Rules(), "test", number)
        frames = torch.from_numpy(observe(drawn.positions, drawn.intensities))[8:11:2].double()
        frames = add_noise(frames, noise, torch.Generator().manual_seed(number))
        images = spread(frames, axis)[:, None]
        found = shift_between(images[:1], images[1:])[0]
        moved = torch.from_numpy(drawn.positions[10] - drawn.positions[8]).mean(0) * 3
        errors.append((found - moved).abs())
        sizes.append(moved.abs())
    assert torch.stack(errors).mean() < within
    assert torch.stack(errors).mean() < 0.6 * torch.stack(sizes).mean()


def test_maps_are_read_at_the_shift():
    maps = torch.rand(2, 3, 7, 7)
    found = shifted(maps, torch.tensor([[1.0, 0.0], [0.0, -2.0]]))
    assert torch.allclose(found[0, :, :-1], maps[0, :, 1:], atol=1e-5)
    assert torch.allclose(found[1, :, :, 2:], maps[1, :, :, :-2], atol=1e-5)
    assert not found[0, :, -1].abs().max() > 1e-4  # nothing outside
    dark = torch.zeros(1, 1, 7, 7)
    assert not shift_between(dark, dark).any()


@pytest.mark.parametrize("options", [{"features": "residual"}, {"alignment": "translation"}])
def test_a_step_reaches_every_parameter(options):
    model = small_derefnet(**options).train()
    losses = model(batch())
    assert ("loss_constraint" in losses) == ("features" not in options)
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("options", [{"features": "residual"}, {"alignment": "translation"}])
def test_a_batch_equals_its_trajectories(options):
    model = small_derefnet(**options).eval()
    together = model(batch(2))
    for one, record in zip(together, batch(2), strict=True):
        assert torch.allclose(one["grid"], model([record])[0]["grid"], rtol=1e-3, atol=0.05)


def test_the_constraint_on_the_truth_has_nothing_to_constrain_without_an_inverse():
    model = small_derefnet(features="residual", constraint_on="truth").train()
    assert set(model(batch())) == {"loss_regression", "loss_align"}


def test_a_translation_reads_a_still_scene_as_it_is():
    """Equal frames have no shift, so that each neighbour's map is that of the frame itself."""
    model = small_derefnet(alignment="translation", time_encoding="none").eval()
    frames = batch(1)[0]["frames"][:1].repeat(7, 1, 1, 1)[None]
    start, gram, back = model._start(frames)
    features = model.unfolding.estimate(start, gram, back).unflatten(0, (1, 7))
    aligned = model.refine(features, back).aligned
    plain = model.alignment.project(torch.relu(model.alignment.features(features[0, :1])))
    assert torch.allclose(aligned, plain.expand_as(aligned), rtol=1e-3, atol=1e-3)
