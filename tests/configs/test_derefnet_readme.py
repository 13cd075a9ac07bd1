"""configs/derefnet/README.md: its commands are those of the configs, and its counts are right."""

import re
import shlex
from pathlib import Path

import pytest
import torch
from detectron2.modeling import build_model

from d2freq.engine import load_yaml

CONFIGS = Path(__file__).resolve().parents[2] / "configs/derefnet"
README = (CONFIGS / "README.md").read_text()
COMMAND = re.compile(r"`python train_net\.py --config-file configs/derefnet/(\w+)\.yaml ?([^`]*)`")
COUNTED = re.compile(r"^\|.*?([\d,]{5,}|, 0) \|.*--config-file configs/derefnet/(\w+)\.yaml", re.M)


def model_of(name, overrides, monkeypatch):
    monkeypatch.setattr(
        "d2freq.modeling.unmixing.config.q_init_of", lambda source, **_: torch.zeros(1089, 121)
    )
    file = str(CONFIGS / f"{name}.yaml")
    with torch.device("meta"):
        return build_model(load_yaml(file, [*overrides, "MODEL.DEVICE", "meta"]))


def test_each_config_has_a_command():
    assert {name for name, _ in COMMAND.findall(README)} == {f.stem for f in CONFIGS.glob("*.yaml")}


@pytest.mark.parametrize("name, words", [c for c in COMMAND.findall(README) if c[1]])
def test_overrides_of_each_command_are_keys(name, words, monkeypatch):
    overrides = [word for word in shlex.split(words) if word != "--eval-only"]
    plain, model = (model_of(name, each, monkeypatch) for each in ([], overrides))
    assert type(plain) is type(model)
    assert ("--eval-only" in words) == (next(model.parameters(), None) is None)


def test_parameters_of_the_tables(monkeypatch):
    found = {(name, count.strip(", ")) for count, name in COUNTED.findall(README)}
    assert len(found) >= 14
    for name, count in found:
        own = sum(parameter.numel() for parameter in model_of(name, [], monkeypatch).parameters())
        assert f"{own:,}" == count, name
