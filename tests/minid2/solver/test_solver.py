"""Parameter groups, gradient clipping and learning-rate schedules."""

import warnings

import pytest
import torch
from fvcore.common.param_scheduler import CosineParamScheduler, MultiStepParamScheduler
from torch import nn

from minid2.config import get_cfg
from minid2.solver import (
    LRMultiplier,
    WarmupParamScheduler,
    build_lr_scheduler,
    build_optimizer,
    get_default_optimizer_params,
    maybe_add_gradient_clipping,
)


def _model():
    return nn.ModuleDict({"conv": nn.Conv2d(2, 3, 1), "norm": nn.GroupNorm(1, 3)})


def _named_groups(groups, model):
    """Options by parameter name; fails for a parameter that stands in two groups."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = {}
    for group in groups:
        for parameter in group["params"]:
            assert names[parameter] not in found
            found[names[parameter]] = {k: v for k, v in group.items() if k != "params"}
    return found


def _scheduler_config(**solver):
    cfg = get_cfg()
    for key, value in solver.items():
        setattr(cfg.SOLVER, key, value)
    return cfg


def _rates(cfg, base_lrs=(1.0,)):
    """The rates of every group at every iteration, as a training sees them."""
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in base_lrs]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    scheduler = build_lr_scheduler(cfg, optimizer)
    rates = []
    for _ in range(cfg.SOLVER.MAX_ITER):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return torch.tensor(rates)


def test_groups_follow_layer_name_and_override():
    model = _model()
    groups = get_default_optimizer_params(
        model,
        base_lr=0.1,
        weight_decay=0.01,
        weight_decay_norm=0.0,
        bias_lr_factor=2.0,
        lr_factor_func=lambda name: 0.5 if name.startswith("conv") else 1.0,
        overrides={"weight": {"momentum": 0.3}},
    )
    assert _named_groups(groups, model) == {
        "conv.weight": {"lr": 0.05, "weight_decay": 0.01, "momentum": 0.3},
        "conv.bias": {"lr": 0.2, "weight_decay": 0.01},
        "norm.weight": {"lr": 0.1, "weight_decay": 0.0, "momentum": 0.3},
        "norm.bias": {"lr": 0.2, "weight_decay": 0.0},
    }


def test_groups_skip_frozen_and_repeat_nothing():
    model = _model()
    model["again"] = model["conv"]
    model["norm"].weight.requires_grad_(False)
    groups = get_default_optimizer_params(model)
    assert list(_named_groups(groups, model)) == ["conv.weight", "conv.bias", "norm.bias"]
    assert len(groups) == 1


@pytest.mark.parametrize(
    "options, culprit",
    [
        ({"bias_lr_factor": 2.0}, "bias_lr_factor"),
        ({"lr_factor_func": len}, "lr_factor_func"),
        ({"weight_decay_bias": 0.0, "overrides": {"bias": {}}}, "bias"),
    ],
)
def test_contradictory_group_options_are_refused(options, culprit):
    with pytest.raises(ValueError, match=culprit):
        get_default_optimizer_params(_model(), **options)


@pytest.mark.parametrize("clip_type", ["value", "norm"])
def test_clipping_bounds_the_step(clip_type):
    cfg = get_cfg()
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = clip_type
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE = 0.5
    first, second, unused = (nn.Parameter(torch.zeros(2)) for _ in range(3))
    sgd = maybe_add_gradient_clipping(cfg, torch.optim.SGD)
    assert sgd.__name__ == "SGDWithGradientClip"
    optimizer = sgd([first, second, unused], lr=1.0)
    first.grad, second.grad = torch.tensor([3.0, -4.0]), torch.tensor([0.1, 0.2])
    optimizer.step()
    expected = torch.tensor([-0.5, 0.5] if clip_type == "value" else [-0.3, 0.4])
    torch.testing.assert_close(first.detach(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(second.detach(), -second.grad)  # within bounds, each on its own
    assert isinstance(optimizer, torch.optim.SGD) and not unused.any()


def test_unknown_clip_type_names_key():
    cfg = get_cfg()
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = "full_model"
    with pytest.raises(ValueError, match=r"CLIP_TYPE.*full_model.*norm"):
        build_optimizer(cfg, _model())


def test_adamw_takes_the_same_groups_and_clipping():
    cfg = get_cfg()
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    model = _model()
    adamw = maybe_add_gradient_clipping(cfg, torch.optim.AdamW)(
        get_default_optimizer_params(model, base_lr=1e-3, weight_decay_norm=0.0), lr=1e-3
    )
    model["norm"](model["conv"](torch.ones(1, 2, 2, 2))).square().sum().backward()
    before = model["conv"].weight.clone()
    adamw.step()
    assert isinstance(adamw, torch.optim.AdamW) and not torch.equal(before, model["conv"].weight)


def test_multistep_warms_up_then_drops_for_every_group():
    cfg = _scheduler_config(
        MAX_ITER=20, STEPS=(10, 16, 99), WARMUP_ITERS=4, WARMUP_FACTOR=0.2, GAMMA=0.1
    )
    rates = _rates(cfg, base_lrs=(1.0, 0.5))
    expected = torch.tensor([0.2, 0.4, 0.6, 0.8] + [1.0] * 6 + [0.1] * 6 + [0.01] * 4)
    torch.testing.assert_close(rates, torch.stack([expected, expected / 2], dim=1))


def test_cosine_ends_at_its_end():
    cfg = _scheduler_config(
        LR_SCHEDULER_NAME="WarmupCosineLR", MAX_ITER=50, WARMUP_ITERS=0, BASE_LR_END=1e-4
    )
    rates = _rates(cfg)[:, 0]
    position = torch.arange(50) / 50
    torch.testing.assert_close(rates, 0.1 + 0.45 * (1 + torch.cos(torch.pi * position)))


def test_rescaled_interval_keeps_the_whole_schedule():
    cosine = CosineParamScheduler(1.0, 0.0)
    warm = WarmupParamScheduler(cosine, 0.1, 0.2, "constant", rescale_interval=True)
    assert warm(0.1) == pytest.approx(0.1)
    assert warm(0.6) == pytest.approx(cosine(0.5))


@pytest.mark.parametrize(
    "solver, culprit",
    [
        ({"LR_SCHEDULER_NAME": "WarmupStepWithFixedGammaLR"}, "LR_SCHEDULER_NAME"),
        ({"WARMUP_METHOD": "slow"}, "slow"),
        ({"LR_SCHEDULER_NAME": "WarmupCosineLR", "BASE_LR_END": 1.0}, "BASE_LR_END"),
    ],
)
def test_bad_schedule_names_key(solver, culprit):
    with pytest.raises(ValueError, match=culprit):
        _rates(_scheduler_config(**solver))


def test_schedule_resumes_and_warns_of_nothing():
    def build(last_iter=-1):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
        steps = MultiStepParamScheduler([1.0, 0.1], milestones=[6], num_updates=10)
        return optimizer, LRMultiplier(optimizer, steps, 10, last_iter=last_iter)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer, scheduler = build()
        for _ in range(7):
            optimizer.step()
            scheduler.step()
        resumed_optimizer, resumed = build()
        resumed_optimizer.load_state_dict(optimizer.state_dict())
        resumed.load_state_dict(scheduler.state_dict())
        resumed_optimizer.step()
        resumed.step()
    assert set(scheduler.state_dict()) == {"base_lrs", "last_epoch"}
    assert resumed_optimizer.param_groups[0]["lr"] == pytest.approx(0.2)
