"""DeRefNet's losses under both presets, against loops over windows, neighbours and stages."""

import pytest
import torch

from .derefnet_cases import batch, conv, naive_frame, naive_window, small_derefnet


def naive_losses(model, record, paper):
    """The three losses of one trajectory, facts of the published code or Eqs. 22 to 25."""
    frames, targets = record["frames"], record["target"]
    each = [naive_frame(model, frame) for frame in frames]
    regression = align = constraint = 0.0
    windows = range(2, len(frames) - 2)
    for middle in windows:
        grid, aligned, before, after = naive_window(model, [maps for maps, _ in each], middle)
        squares = (grid - targets[middle, 0]) ** 2
        if paper:  # Eq. 24 and Eq. 23
            regression += squares.sum() / len(windows)
            align += sum((a - after).abs().sum() for a in aligned) / 4 / len(windows)
        else:
            regression += squares.mean()
            align += sum((a - before).abs().sum() for a in aligned)
    for k, stage in enumerate(model.unfolding.stages):
        for t in range(len(frames)):
            error = each[t][1][k][1]
            if paper:  # Eq. 22
                s = targets[t][None]
                features = conv(stage.transform[2], conv(stage.transform[0], s).relu())
                error = conv(stage.inverse[2], conv(stage.inverse[0], features).relu()) - s
            constraint += (error**2).mean() / len(frames)
    weight = 0.01 if paper else 0.1
    return {
        "loss_regression": regression,
        "loss_constraint": weight * constraint,
        "loss_align": weight * align,
    }


@pytest.mark.parametrize("preset", ["released", "paper"])
def test_losses_are_those_of_loops_and_means_over_trajectories(preset):
    model, records = small_derefnet(preset=preset), batch(2)
    found = model(records)
    with torch.no_grad():
        wanted = [naive_losses(model, record, preset == "paper") for record in records]
    assert found.keys() == wanted[0].keys()
    for name, value in found.items():
        mean = sum(each[name] for each in wanted) / 2
        torch.testing.assert_close(value.detach(), mean, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("switch", "value", "loss", "ratio"),
    [
        ("regression_reduction", "cells", "loss_regression", 225 / 3),
        ("align_reduction", "mean", "loss_align", 1 / 12),
        ("regression_weight", 3.0, "loss_regression", 3.0),
        ("constraint_weight", 0.01, "loss_constraint", 0.1),
        ("align_weight", 0.0, "loss_align", 0.0),
    ],
)
def test_each_switch_changes_its_own_loss_alone(switch, value, loss, ratio):
    usual, other = small_derefnet()(batch()), small_derefnet(**{switch: value})(batch())
    for name in usual:
        factor = ratio if name == loss else 1.0
        torch.testing.assert_close(other[name], factor * usual[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("preset", ["released", "paper"])
@pytest.mark.parametrize("kind", ["linear", "affine", "none"])
def test_every_parameter_has_a_gradient(preset, kind):
    model = small_derefnet(preset=preset, time_encoding=kind)
    sum(model(batch(1)).values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("preset", ["released", "paper"])
def test_bfloat16_keeps_losses_and_grids(preset):
    model, records = small_derefnet(preset=preset), batch()
    usual = model(records)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(records)
        sum(losses.values()).backward()
    for name, value in usual.items():
        assert losses[name].dtype == torch.float32
        torch.testing.assert_close(losses[name], value, rtol=0.05, atol=1e-3)
    assert all(p.grad.dtype == torch.float32 for p in model.parameters())
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        grid = model(records)[0]["grid"]
    with torch.no_grad():
        wanted = model(records)[0]["grid"]
    assert grid.dtype == torch.float32
    assert (grid - wanted).norm() < 0.05 * wanted.norm()
