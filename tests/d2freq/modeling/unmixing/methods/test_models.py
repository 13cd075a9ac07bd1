"""The methods beside DeRefNet: parameters, outputs, batches, gradients, autocast, configs."""

import numpy as np
import pytest
import torch
from detectron2.modeling import build_model

from d2freq.engine.checks import check_trainable, learns
from d2freq.errors import UserError
from d2freq.modeling.unmixing import (
    DBPN,
    ESPCN,
    ISTA,
    FISTANet,
    ISTANetPlus,
    TiLISTA,
    UnmixingModel,
    USRNet,
)

from ..methods_cases import (
    PARAMETERS,
    SMALL,
    TRAINING_FREE,
    config,
    records,
    small_model,
    stir,
)

Q_INIT = torch.zeros(1089, 121)
learned = pytest.mark.parametrize("kind", PARAMETERS)
every = pytest.mark.parametrize("kind", SMALL)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@learned
def test_parameters_of_table_7(kind):
    with torch.device("meta"):
        assert count(kind(q_init=Q_INIT)) == PARAMETERS[kind]


def test_fista_net_with_the_convolutions_that_the_published_code_does_not_call():
    with torch.device("meta"):
        assert count(FISTANet(q_init=Q_INIT, depth=4)) == 74_599


@pytest.mark.parametrize("kind", TRAINING_FREE)
def test_training_free_methods_have_no_parameters_and_say_so(kind):
    model = small_model(kind)
    assert count(model) == 0
    with pytest.raises(UserError, match=f"{kind.__name__} has nothing to train.*--eval-only"):
        model.train()(records())


@every
def test_grids_of_the_centre_frames(kind):
    outputs = small_model(kind).eval()(records())
    for output in outputs:
        assert set(output) == {"grid", "frames"}
        assert output["grid"].shape == (3, 15, 15) and output["grid"].dtype == torch.float32
        assert output["frames"].tolist() == [1, 2, 3]


@every
def test_a_batch_equals_its_trajectories_one_by_one(kind):
    model = stir(small_model(kind)).eval()
    batch = records(3)
    with torch.no_grad():
        together = model(batch)
        alone = [model([record])[0] for record in batch]
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one["grid"], other["grid"], rtol=1e-4, atol=1e-3)
    assert not torch.allclose(together[0]["grid"], together[1]["grid"], atol=1.0)


@every
def test_a_frame_is_seen_by_its_own_windows_alone(kind):
    """Frame 4 of 0..4 is a neighbour of centre frame 3; single-frame methods never see it."""
    model = stir(small_model(kind)).eval()
    (record,) = records(1)
    changed = {"frames": record["frames"].clone()}
    changed["frames"][4] += 50
    with torch.no_grad():
        before, after = (model([each])[0]["grid"] for each in (record, changed))
    assert torch.equal(before[:2], after[:2])
    assert torch.equal(before[2], after[2]) == (kind.__name__ != "TDAN")


@learned
def test_gradients_reach_every_parameter(kind):
    model = stir(small_model(kind)).train()
    losses = model(records())
    assert losses and all(name.startswith("loss_") for name in losses)
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@learned
def test_a_few_steps_lower_the_loss(kind):
    model = small_model(kind).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    seen = []
    for _ in range(8):
        loss = sum(model(records()).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert seen[-1] < seen[0]


@every
def test_autocast_is_finite_and_near(kind):
    model = small_model(kind)
    with torch.no_grad():
        exact = model.eval()(records())[0]["grid"]
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(records())[0]["grid"]
    assert rough.dtype == torch.float32 and torch.isfinite(rough).all()
    assert torch.linalg.vector_norm(rough - exact) < 0.05 * torch.linalg.vector_norm(exact) + 1
    if kind in PARAMETERS:
        with torch.autocast("cpu", torch.bfloat16):
            losses = model.train()(records())
        assert all(torch.isfinite(loss) for loss in losses.values())
        sum(losses.values()).backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@every
def test_builds_from_a_config_by_name(kind, tmp_path):
    file = tmp_path / "q_init.npy"
    np.save(file, np.zeros((1089, 121)))
    model = build_model(config(kind, "MODEL.UNMIXING.Q_INIT", str(file)))
    assert type(model) is kind and isinstance(model, UnmixingModel)
    assert count(model) == PARAMETERS.get(kind, 0)


def test_ista_needs_q_init_only_to_start_from():
    assert "q_init" not in ISTA().state_dict() and not ISTA().state_dict()
    with pytest.raises(UserError, match="Q_INIT"):
        ISTA(start="q_init")
    assert "q_init" in ISTA(start="q_init", q_init=Q_INIT).state_dict()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ISTA(start="ones"), "MODEL.ISTA.START: 'ones'.*pinv"),
        (lambda: ISTA(penalty=-1.0), "PENALTY -1.0"),
        (lambda: ISTA(iterations=0), "ITERATIONS 0"),
        (lambda: ESPCN(activation="gelu"), "MODEL.ESPCN.ACTIVATION: 'gelu'.*relu, tanh"),
    ],
)
def test_bad_values_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_ista_net_plus_starts_calm_with_the_step_of_its_config():
    """Its skip connections hand on what too wide a step makes larger, stage by stage."""
    sizes = {}
    for step in (0.5, 0.1165):
        model = small_model(ISTANetPlus, stages=9, step=step).eval()
        with torch.no_grad():
            sizes[step] = model(records())[0]["grid"].abs().max().item()
    assert sizes[0.1165] < 1000 < sizes[0.5]


@pytest.mark.parametrize("kind", TRAINING_FREE)
def test_training_free_methods_are_refused_for_training_and_need_no_weights(kind):
    model = small_model(kind)
    with pytest.raises(UserError, match=f"{kind.__name__} has nothing to train"):
        check_trainable(model)
    assert not learns(model)
    check_trainable(small_model(ESPCN))
    assert learns(small_model(ESPCN))


@pytest.mark.parametrize("kind", [USRNet, TiLISTA, DBPN])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("frames"), "has target and no tensor 'frames'.*takes trajectories"),
        (lambda r: r.update(frames=r["frames"].tolist()), "no tensor 'frames'.*SequenceMapper"),
        (lambda r: r.update(frames=r["frames"][:, 0]), r"\(5, 5, 5\).*wants \(T, 1, 5, 5\).*SIZE"),
        (lambda r: r.update(frames=torch.rand(5, 1, 7, 7)), r"\(5, 1, 7, 7\).*UNMIXING.SIZE"),
        (lambda r: r.update(frames=r["frames"][:2]), "2 frames is shorter than the window of 3"),
        (lambda r: r.update(target=torch.rand(5, 1, 33, 33)), r"target of shape \(5, 1, 33, 33\)"),
    ],
)
def test_records_that_do_not_fit_are_named_with_the_cure(kind, change, message):
    model = small_model(kind).train()
    batch = records(2)
    change(batch[1])
    with pytest.raises(UserError, match=message):
        model(batch)


def test_a_typo_is_an_error():
    with pytest.raises(TypeError, match="chanels"):
        ESPCN(chanels=(4, 4))
