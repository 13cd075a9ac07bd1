"""DETR's training on any detector: the same from YAML and lazily, on both hosts."""

import pytest
import torch

from d2freq.engine.config import load_config

from .config_cases import CONFIGS
from .test_twins import assert_same_mappers
from .twin_checks import assert_same_training

YAML = """
_BASE_: [../_base_/fcos_R18_FPN.yaml, ../_base_/aitod.yaml, ../_base_/detr.yaml]
"""
LAZY = """
from .._base_.aitod import dataloader, lr_multiplier, train
from .._base_.detr import optimizer, with_detr_training
from .._base_.fcos_R18_FPN import model

dataloader, train = with_detr_training(dataloader, train)
model.num_classes = 8
lr_multiplier.warmup_length = 0
"""


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    root = tmp_path_factory.mktemp("configs")
    (root / "_base_").symlink_to(CONFIGS / "_base_")
    (root / "own").mkdir()
    for name, text in (("fcos.yaml", YAML), ("fcos.py", LAZY)):
        (root / "own" / name).write_text(text)
    device = {"yaml": ["MODEL.DEVICE", "cpu"], "py": ["train.device=cpu"]}
    return [load_config(str(root / f"own/fcos.{kind}"), device[kind]) for kind in device]


def test_same_training_and_data(configs):
    yaml, lazy = configs
    assert_same_training(yaml.cfg, lazy.cfg, yaml.model())
    for is_train in (True, False):
        split = lazy.cfg.dataloader.train if is_train else lazy.cfg.dataloader.test
        assert_same_mappers(yaml.cfg, split, is_train=is_train)


def test_groups_and_clipping_of_both(configs):
    rules, moved = [], []

    def norm_at_step(optimizer, *_):
        gradients = [p.grad.double() for group in optimizer.param_groups for p in group["params"]]
        moved.append(sum(each.square().sum().item() for each in gradients) ** 0.5)

    for config in configs:
        torch.manual_seed(0)
        model = config.model()
        optimizer = config.optimizer(model)
        assert type(optimizer) is torch.optim.AdamW
        names = {parameter: name for name, parameter in model.named_parameters()}
        rules.append({})
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                rules[-1][names[parameter]] = (group["lr"], group["weight_decay"])
                parameter.grad = torch.full_like(parameter, 100.0)
        optimizer.register_step_pre_hook(norm_at_step)  # behind the clipping
        optimizer.step()
    assert rules[0] == rules[1] and len(rules[0]) == len(names)
    for name, (rate, decay) in rules[0].items():
        expected = 1e-5 if name.startswith("backbone.bottom_up.") else 1e-4
        assert rate == pytest.approx(expected) and decay == 1e-4, name
    assert len({rate for rate, _ in rules[0].values()}) == 2
    assert moved == pytest.approx([0.1, 0.1], rel=1e-3)
