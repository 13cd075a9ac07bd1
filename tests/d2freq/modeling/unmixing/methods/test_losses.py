"""Losses and forwards of the learned methods against their formulas, written down naively."""

import pytest
import torch
import torch.nn.functional as F

from d2freq.modeling.unmixing import EDSR, ESPCN, LISTA, SRCNN, FISTANet, ISTANet, ISTANetPlus
from d2freq.modeling.unmixing.stages import IstaNetStage
from d2freq.ops.psf import sampling_matrix

from ..methods_cases import config, records, small_model, stir

PHI = sampling_matrix(5, 3, 0.5, torch.float32)


def centre_frames(batch):
    """Every centre frame by itself: frame (1, 25), target (1, 1, 15, 15)."""
    for record in batch:
        for time in (1, 2, 3):
            yield record["frames"][time].view(1, 25), record["target"][time][None]


def shrink(x, threshold):
    return torch.sign(x) * torch.clamp(x.abs() - threshold, min=0)


def descend(x, y, step):
    flat = x.view(1, 225)
    return (flat - step * flat @ PHI.T @ PHI + step * y @ PHI).view(1, 1, 15, 15)


def test_ista_net_stage_has_the_parameters_and_formulas_of_the_facts():
    torch.manual_seed(0)
    stage = IstaNetStage(32)
    assert sum(p.numel() for p in stage.parameters()) == 19_010
    assert (stage.step.item(), stage.threshold.item()) == (0.5, pytest.approx(0.01))
    assert isinstance(IstaNetStage(), IstaNetStage)
    x, y = 100 * torch.rand(2, 1, 15, 15), 100 * torch.rand(2, 25)
    estimate, residual = stage(x, PHI.T @ PHI, y @ PHI)
    for row in range(2):
        r = descend(x[row : row + 1], y[row : row + 1], 0.5)
        f = F.conv2d(r, stage.transform[0].weight, padding=1).relu()
        f = F.conv2d(f, stage.transform[2].weight, padding=1)

        def back(features):
            hidden = F.conv2d(features, stage.inverse[0].weight, padding=1).relu()
            return F.conv2d(hidden, stage.inverse[2].weight, padding=1)

        assert torch.allclose(estimate[row], back(shrink(f, 0.01))[0], rtol=1e-4, atol=1e-2)
        assert torch.allclose(residual[row], (back(f) - r)[0], rtol=1e-4, atol=1e-2)
    assert torch.equal(stage.estimate(x, PHI.T @ PHI, y @ PHI), estimate)


@pytest.mark.parametrize("kind", [ISTANet, ISTANetPlus])
def test_losses_of_ista_net(kind):
    model, batch = stir(small_model(kind, constraint_weight=0.3)).train(), records()
    model.stages[0].step.data.fill_(0.11)
    losses = model(batch)
    errors, constraints = [], []
    for y, target in centre_frames(batch):
        x, symmetry = (y @ model.q_init.T).view(1, 1, 15, 15), []
        for stage in model.stages:
            r = descend(x, y, stage.step)
            if kind is ISTANet:
                f = stage.transform(r)
                x = stage.inverse(shrink(f, stage.threshold))
                symmetry.append(stage.inverse(f) - r)
            else:
                d = stage.lift(r)
                f = stage.transform(d)
                x = r + stage.lower(stage.inverse(shrink(f, stage.threshold)))
                symmetry.append(stage.inverse(f) - d)
        errors.append(((x - target) ** 2).mean())
        constraints.append(sum((each**2).mean() for each in symmetry))
    assert set(losses) == {"loss_reg", "loss_constraint"}
    assert losses["loss_reg"].item() == pytest.approx(sum(errors).item() / 6, rel=1e-4)
    want = 0.3 * sum(constraints).item() / 6
    assert losses["loss_constraint"].item() == pytest.approx(want, rel=1e-4)


def test_losses_of_fista_net():
    weights = dict(l1_weight=0.5, constraint_weight=0.3, sparsity_weight=0.2)
    model, batch = stir(small_model(FISTANet, depth=3, **weights)).train(), records()
    losses = model(batch)
    totals = torch.zeros(4)

    def rule(pair, i):
        return torch.log(1 + torch.exp(pair[0] * i + pair[1]))

    for y, target in centre_frames(batch):
        before = ahead = (y @ model.q_init.T).view(1, 1, 15, 15)
        for i in range(3):
            r = descend(ahead, y, rule(model.step_rule, i))
            d = model.lift(r)
            f = model.transform(d)
            s = shrink(f, rule(model.threshold_rule, i))
            x = torch.clamp(r + model.lower(model.inverse(s)), min=0)
            totals[2] += ((model.inverse(f) - d) ** 2).mean().item()
            totals[3] += s.abs().mean().item()
            top, base = rule(model.momentum_rule, i), rule(model.momentum_rule, 0)
            ahead = x + (top - base) / top * (x - before)
            before = x
        totals[0] += ((x - target) ** 2).mean().item()
        totals[1] += (x - target).abs().mean().item()
    square, absolute, constraint, sparsity = (totals / 6).tolist()
    assert losses["loss_reg"].item() == pytest.approx(square + 0.5 * absolute, rel=1e-4)
    assert losses["loss_constraint"].item() == pytest.approx(0.3 * constraint, rel=1e-4)
    assert losses["loss_sparsity"].item() == pytest.approx(0.2 * sparsity, rel=1e-4)


def test_lista_starts_as_published_and_learns_each_frames_own_target():
    """B = Q_init, W = 1 - Q_init Phi, threshold lambda / |Phi|^2, in as many loops as layers."""
    model, batch = small_model(LISTA, penalty=30.0).train(), records()
    threshold = 30.0 / torch.linalg.matrix_norm(PHI, 2) ** 2
    step = torch.eye(225) - model.q_init @ PHI
    errors, averaged = [], []
    for record in batch:
        targets = record["target"][1:4, 0].flatten(1)
        for time in range(3):
            y = record["frames"][1 + time].view(25)
            x = model.q_init @ y
            for _ in range(2):
                x = shrink(model.q_init @ y + step @ x, threshold)
            errors.append(((x - targets[time]) ** 2).mean())
            averaged.append(((x - targets) ** 2).mean())  # what broadcasting made of it
    loss = model(batch)["loss_reg"].item()
    assert loss == pytest.approx(sum(errors).item() / 6, rel=1e-4)
    assert abs(loss - sum(averaged).item() / 6) > 1


def test_lista_starts_at_q_inits_grid_and_no_threshold_falls_below_zero():
    model = small_model(LISTA, penalty=0.0).eval()
    batch = records()
    start = model.initial(model.centres(batch[0]["frames"][None])).flatten(0, 2)
    with torch.no_grad():
        for threshold in (0.0, -5.0):
            for layer in model.layers:
                layer.threshold.fill_(threshold)
            assert torch.allclose(model(batch)[0]["grid"], start, atol=1e-2)
    assert config(LISTA).MODEL.LISTA.PENALTY == 0.4


@pytest.mark.parametrize("kind", [SRCNN, ESPCN, EDSR])
def test_loss_is_the_mean_squared_error_of_centre_frames(kind):
    model, batch = small_model(kind), records()
    loss = model.train()(batch)["loss_reg"].item()
    grids = torch.cat([output["grid"] for output in model.eval()(batch)])
    truth = torch.cat([record["target"][1:4, 0] for record in batch])
    assert loss == pytest.approx(((grids - truth) ** 2).mean().item(), rel=1e-5)


def test_edsr_multiplies_going_in_and_divides_coming_out():
    """As published; with biases it is another function than the reverse, or neither."""
    model = stir(small_model(EDSR)).eval()
    (frame,) = (record["frames"] for record in records(1))
    found = model([{"frames": frame}])[0]["grid"]

    def scaled(into, out):
        features = model.first(frame[1:4] * into)
        return model.last(model.enlarge(features + model.body(features)))[:, 0] * out

    assert torch.allclose(found, scaled(255, 1 / 255), rtol=1e-4, atol=1e-4)
    for other in (scaled(1 / 255, 255), scaled(1, 1)):
        assert (found - other).abs().max() > 0.1
    with torch.no_grad(), torch.autocast("cpu", torch.float16):  # 255 x 200 levels and their sums
        assert torch.isfinite(model([{"frames": 2 * frame}])[0]["grid"]).all()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
    found = model([{"frames": frame}])[0]["grid"]
    assert torch.allclose(found, scaled(1 / 255, 255), rtol=1e-4, atol=1e-3)
