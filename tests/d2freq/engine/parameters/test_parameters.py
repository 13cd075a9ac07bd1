"""Frozen parameters, groups by pattern and clipping, each by itself on a small model."""

import math

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.utils.events import EventStorage
from torch import nn

import d2freq
from d2freq.engine.parameters.clipping import clip, clip_by
from d2freq.engine.parameters.freeze import freeze
from d2freq.engine.parameters.groups import regroup
from d2freq.engine.parameters.patterns import matching
from d2freq.engine.solver import build_optimizer
from d2freq.engine.step import MixedStep
from d2freq.errors import UserError


class Small(nn.Module):
    """backbone.{res2,res3}.{conv,norm} and head."""

    def __init__(self):
        super().__init__()
        stage = lambda: nn.ModuleDict({"conv": nn.Conv2d(3, 3, 1), "norm": nn.BatchNorm2d(3)})  # noqa: E731
        self.backbone = nn.ModuleDict({"res2": stage(), "res3": stage()})
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        for stage in self.backbone.values():
            x = stage["norm"](stage["conv"](x))
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("head", ["head.weight", "head.bias"]),
        ("*.bias", ["conv.bias", "norm.bias", "conv.bias", "norm.bias", "head.bias"]),
        ("backbone.res[2].conv", ["conv.weight", "conv.bias"]),
        ("re:res3.*weight$", ["conv.weight", "norm.weight"]),
    ],
)
def test_patterns_choose_modules_and_parameters(pattern, found):
    names = matching(Small(), pattern, key="KEY")
    assert len(names) == len(found)
    assert all(name.endswith(end) for name, end in zip(names, found, strict=True))


def test_a_star_in_front_finds_modules_of_a_wrapped_detector():
    """Of SET's, all names have "detector." in front."""
    names = matching(nn.ModuleDict({"detector": Small()}), "*backbone.res2", key="KEY")
    assert names == [f"detector.{name}" for name in matching(Small(), "backbone.res2", key="KEY")]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("backbon.res2", "KEY: 'backbon.res2' matches no parameter of Small; did you mean back"),
        ("re:(", "no regular expression"),
        ("re:res9", "matches no parameter"),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(pattern, said):
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        matching(Small(), pattern, key="KEY")


def test_frozen_layers_change_neither_weights_nor_statistics():
    model = Small()
    freeze(model, ["backbone.res2", "re:^head.bias$"])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        model.train()
        optimizer.zero_grad()
        model(torch.randn(4, 3, 5, 5)).square().sum().backward()
        optimizer.step()
    changed = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert {"head.weight", "backbone.res3.norm.running_mean", "backbone.res3.conv.weight"} < changed
    assert not [name for name in changed if "res2" in name or name == "head.bias"]
    assert not model.backbone["res2"]["norm"].training and model.backbone["res3"]["norm"].training


def test_nothing_left_to_train_is_an_error_and_no_pattern_changes_nothing():
    model = Small()
    freeze(model, [])
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(UserError, match="KEY: \\* leave nothing to train"):
        freeze(model, ["*"], key="KEY")


def options_of(optimizer, model):
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        names[p]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_groups_by_pattern(kind):
    model = Small()
    optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.01)
    rules = [["backbone", 0.1], ["*.norm", 1.0, 0.0], ["re:res3.*bias", 2.0, None]]
    assert regroup(optimizer, model, rules) is optimizer
    found = options_of(optimizer, model)
    assert len(found) == len(list(model.parameters()))
    assert found["head.weight"] == (0.1, 0.01)
    assert found["backbone.res2.conv.weight"] == (pytest.approx(0.01), 0.01)
    assert found["backbone.res2.norm.bias"] == (0.1, 0.0)
    assert found["backbone.res3.norm.bias"] == (0.2, 0.01)  # the last rule holds
    model(torch.randn(4, 3, 5, 5)).sum().backward()
    optimizer.step()


@pytest.mark.parametrize(
    "rule", ["backbone", ["backbone"], ["head", "0.1"], ["head", -1.0], [1, 2], ["head", None]]
)
def test_a_rule_of_another_form_is_an_error(rule):
    model = Small()
    with pytest.raises(UserError, match="KEY: .*write a list"):
        regroup(torch.optim.SGD(model.parameters(), lr=0.1), model, [rule], key="KEY")


def stepped(optimizer, parameters, gradients):
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    optimizer.step()
    return [p.detach().clone() for p in parameters]


@pytest.mark.parametrize(
    ("clip_type", "norm_type"),
    [("full_model", 2.0), ("full_model", math.inf), ("norm", 2.0), ("value", 2.0)],
)
def test_clipping_by_hand(clip_type, norm_type):
    gradients = [torch.tensor([3.0, -4.0]), torch.tensor([12.0]), torch.tensor([0.1])]
    parameters = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
    optimizer = torch.optim.SGD([dict(params=parameters[:1]), dict(params=parameters[1:])], lr=1.0)
    clip(optimizer, clip_type=clip_type, clip_value=2.0, norm_type=norm_type)
    moved = stepped(optimizer, parameters, gradients)
    whole = torch.cat(gradients)
    if clip_type == "full_model":
        wanted = [-g * 2 / torch.linalg.vector_norm(whole, norm_type) for g in gradients]
    elif clip_type == "norm":
        wanted = [-g * min(1, 2 / g.norm()) for g in gradients]
    else:
        wanted = [-g.clamp(-2, 2) for g in gradients]
    for found, expected in zip(moved, wanted, strict=True):
        assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_full_model_by_key(optimizer):
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.D2FREQ.OPTIMIZER, cfg.SOLVER.BASE_LR, cfg.SOLVER.WEIGHT_DECAY = optimizer, 1.0, 0.0
    cfg.SOLVER.MOMENTUM = 0.0
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = "full_model"
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE = 0.5
    cfg.freeze()
    model = Small()
    made = build_optimizer(cfg, model)
    seen = []
    made.register_step_pre_hook(  # behind the clipping
        lambda this, *_: seen.append(
            torch.cat([p.grad.flatten() for g in this.param_groups for p in g["params"]]).norm()
        )
    )
    (model(torch.randn(4, 3, 5, 5)).sum() * 100).backward()
    made.step()
    assert seen[0] == pytest.approx(0.5, rel=1e-4)
    with pytest.raises(UserError, match="CLIP_TYPE: 'total' is unknown; choose one of value, norm"):
        other = cfg.clone()
        other.defrost()
        other.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = "total"
        build_optimizer(other, model)


@pytest.mark.parametrize("clip_type", ["value", "norm", "full_model"])
@pytest.mark.parametrize(
    ("key", "bad"), [("CLIP_VALUE", 0.0), ("CLIP_VALUE", -1.0), ("NORM_TYPE", 0.0)]
)
def test_clipping_to_nothing_is_refused_whatever_its_type(clip_type, key, bad):
    """Detectron2's own types took it: no weight moved, or all moved against the gradient."""
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    clipping = cfg.SOLVER.CLIP_GRADIENTS
    clipping.ENABLED, clipping.CLIP_TYPE, clipping[key] = True, clip_type, bad
    with pytest.raises(UserError, match=f"SOLVER.CLIP_GRADIENTS.{key} {bad}: .* above 0"):
        build_optimizer(cfg, Small())
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = False
    build_optimizer(cfg, Small())


def test_clipping_of_lazy_configs_refuses_typos():
    optimizer = torch.optim.SGD(Small().parameters(), lr=0.1)
    assert clip_by(optimizer, {"clip_type": "value"}, key="K") is optimizer
    with pytest.raises(UserError, match="K.clip_typ is not read; did you mean clip_type"):
        clip_by(optimizer, {"enabled": True, "clip_typ": "value"}, key="K")
    with pytest.raises(UserError, match="above 0"):
        clip_by(optimizer, {"enabled": True, "clip_value": 0.0}, key="K")


def test_adamw_takes_the_decay_off_the_weights():
    """Without a gradient Adam leaves weights, but for the decay that is added to the gradient."""
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.D2FREQ.OPTIMIZER, cfg.SOLVER.BASE_LR, cfg.SOLVER.WEIGHT_DECAY = "adamw", 0.1, 0.5
    model = nn.Linear(2, 2)
    optimizer = build_optimizer(cfg, model)
    before = model.weight.detach().clone()
    model.weight.grad = torch.zeros_like(model.weight)
    optimizer.step()
    assert torch.allclose(model.weight, before * (1 - 0.1 * 0.5))


@pytest.mark.parametrize("clip_type", ["full_model", "norm", "value"])
@pytest.mark.parametrize("fused", [False, True])
def test_clipping_is_of_true_gradients_under_a_scaler(clip_type, fused):
    """A fused optimizer gets scaled gradients: clipped as they are, it would stand still."""
    model = nn.Linear(6, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, fused=fused)
    clip(optimizer, clip_type=clip_type, clip_value=0.25)
    before = [p.detach().clone() for p in model.parameters()]
    scaler = torch.amp.GradScaler("cpu", init_scale=4096.0)
    step = MixedStep(model, [torch.randn(8, 6)], optimizer, grad_scaler=scaler)
    step.losses = lambda batch: {"loss": model(batch).square().sum() * 10}
    step.model.train()
    with EventStorage():
        step.run_step()
    moved = [(p.detach() - b).flatten() for p, b in zip(model.parameters(), before, strict=True)]
    if clip_type == "full_model":
        assert torch.cat(moved).norm() == pytest.approx(0.25, rel=1e-4)
    elif clip_type == "norm":
        assert [each.norm().item() for each in moved] == pytest.approx([0.25] * 2, rel=1e-4)
    else:
        assert torch.cat(moved).abs().max() == pytest.approx(0.25, rel=1e-4)
    assert scaler.get_scale() == 4096, "no gradient was infinite"


@pytest.mark.parametrize("fused", [False, True])
def test_an_overflow_under_a_scaler_moves_nothing(fused):
    model = nn.Linear(6, 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, fused=fused)
    clip(optimizer, clip_type="full_model", clip_value=0.1)
    before = [p.detach().clone() for p in model.parameters()]
    scaler = torch.amp.GradScaler("cpu", init_scale=4096.0)
    scaler.scale(model(torch.randn(8, 6)).sum() * math.inf).backward()
    scaler.step(optimizer)
    scaler.update()
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))
    assert scaler.get_scale() == 2048
