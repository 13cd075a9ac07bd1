"""LIHT, LAMP and TiLISTA against their formulas, a frame at a time, and their starts."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.unmixing import LAMP, LIHT, TiLISTA
from d2freq.modeling.unmixing.methods.liht import hard_threshold
from d2freq.modeling.unmixing.units import INTENSITY
from d2freq.ops.psf import sampling_matrix

from ..methods_cases import records, small_model, stir

PHI = sampling_matrix(5, 3, 0.5, torch.float32)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def centre_frames():
    return torch.cat([record["frames"][1:4, 0].flatten(1) for record in records()])


def grids_of(model):
    with torch.no_grad():
        found = torch.cat([output["grid"] for output in model.eval()(records())])
    return found.flatten(1)


def shrink(x, threshold):
    return torch.sign(x) * torch.clamp(x.abs() - threshold, min=0)


@pytest.mark.parametrize("tied", [False, True])
def test_liht(tied):
    model = stir(small_model(LIHT, tied=tied))
    for row, y in enumerate(centre_frames() / INTENSITY):
        x = model.q_init @ y
        for layer in model.layers:
            b = layer.measure.weight
            w = torch.eye(225) - b @ PHI if tied else layer.recur.weight
            moved = w @ x + b @ y
            theta = layer.threshold.clamp(min=0)
            inside = (moved.abs() - 0.5 * theta) / 0.5
            x = moved.sign() * inside.clamp(min=0).minimum(moved.abs())
        assert torch.allclose(grids_of(model)[row], x * INTENSITY, rtol=1e-3, atol=0.05)


def test_liht_starts_as_hard_thresholding_from_q_inits_grid():
    """Without thresholds nothing moves it; the published W = 1 adds Q_init's grid in each layer."""
    model = small_model(LIHT, threshold=0.0, layers=4)
    start = centre_frames() @ model.q_init.T
    assert torch.allclose(grids_of(model), start, atol=0.05)
    assert count(LIHT(q_init=torch.zeros(1089, 121), tied=True)) == 2_125_728


def test_the_hard_threshold_has_a_gradient_and_is_continuous():
    threshold = torch.tensor(1.0, requires_grad=True)
    x = torch.linspace(-3, 3, 601)
    y = hard_threshold(x, threshold, 0.25)
    assert torch.equal(y[x.abs() > 1.001], x[x.abs() > 1.001])
    assert not y[x.abs() < 0.749].any()
    assert y.diff().abs().max() < 0.05  # steps of 0.01, a slope of 4 at most
    y.abs().sum().backward()
    assert threshold.grad < 0


def test_lamp():
    model = stir(small_model(LAMP, threshold=0.05, onsager=0.7, layers=3))
    seen = set()
    for row, y in enumerate(centre_frames()):
        x, v = torch.zeros(225), torch.zeros(25)
        for layer in model.layers:
            factor = min(float((x != 0).sum()) / 25, 0.7)
            seen.add(round(factor, 3))
            v = y - PHI @ x + factor * v
            deviation = (v.square().mean() + 1e-12).sqrt()
            x = shrink(x + layer.measure.weight @ v, layer.threshold.clamp(min=0) * deviation)
        assert torch.allclose(grids_of(model)[row], x, rtol=1e-3, atol=0.05)
    assert {0.0, 0.7} <= seen


def test_lamp_needs_no_unit():
    model = small_model(LAMP)
    frames = centre_frames().unflatten(1, (1, 5, 5))
    assert torch.allclose(model.estimate(frames / 100) * 100, model.estimate(frames), atol=1e-2)


@pytest.mark.parametrize("matrix", ["layers", "tied", "fixed"])
def test_tilista(matrix):
    model = stir(small_model(TiLISTA, matrix=matrix, layers=3, spared=1.0, spared_most=1.5))
    assert model.spared == (2, 3, 3)  # of 225 cells: 1, 1.5 and 1.5 percent
    for row, y in enumerate(centre_frames() / INTENSITY):
        x = model.q_init @ y
        for number, spared in enumerate(model.spared):
            own = {"layers": number, "tied": 0}.get(matrix)
            w = model.q_init if own is None else model.matrices[own]
            moved = x + model.steps[number] * (w @ (y - PHI @ x))
            x = shrink(moved, model.thresholds[number].clamp(min=0))
            largest = moved.abs().argsort(descending=True)[:spared]
            x[largest] = moved[largest]
        assert torch.allclose(grids_of(model)[row], x * INTENSITY, rtol=1e-3, atol=0.05)


def test_parameters_of_tilistas_forms():
    q_init = torch.zeros(1089, 121)
    assert count(TiLISTA(q_init=q_init, matrix="tied")) == 131_801
    assert count(TiLISTA(q_init=q_init, matrix="fixed")) == 32
    assert TiLISTA(q_init=q_init).spared == (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, *[11] * 6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LIHT(ramp=0.0), "MODEL.LIHT: .*RAMP 0.0"),
        (lambda: LAMP(onsager=-1.0), "MODEL.LAMP: .*ONSAGER -1.0"),
        (lambda: TiLISTA(matrix="shared"), "MODEL.TILISTA.MATRIX: 'shared'.*layers, tied, fixed"),
        (lambda: TiLISTA(spared_most=100.0), "SPARED_MOST 100.0"),
    ],
)
def test_bad_values_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make()
