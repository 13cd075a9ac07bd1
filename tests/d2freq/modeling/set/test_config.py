"""MODEL.SET: its defaults, and that every value can be given on the command line and in YAML."""

import inspect

import pytest
import yaml
from detectron2.config import get_cfg

from d2freq import add_d2freq_config
from d2freq.engine import load_yaml
from d2freq.errors import UserError
from d2freq.modeling.set import BackgroundSmoothing, perturbation


@pytest.fixture
def cfg():
    cfg = get_cfg()
    add_d2freq_config(cfg)
    return cfg


def test_defaults_are_those_of_the_functions(cfg):
    keys = cfg.MODEL.SET
    for function in (BackgroundSmoothing.__init__, perturbation):
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.default is not inspect.Parameter.empty and name not in (
                "weights",
                "kernel",
            ):
                assert keys[name.upper()] == parameter.default, name
    levels = {"p3": 8, "p7": 128}
    channels = dict.fromkeys(levels, 8)
    built = BackgroundSmoothing(channels=channels, strides=levels, kernel=keys.KERNEL)
    assert str(built) == str(BackgroundSmoothing(channels=channels, strides=levels))


@pytest.mark.parametrize(
    "key, written, value",
    [
        ("KERNEL", "5", 5),
        ("KERNEL", "[1, 3, 3, 5, 5]", [1, 3, 3, 5, 5]),
        ("KERNEL", "stride", "stride"),
        ("IN_FEATURES", '["p3", "p4"]', ["p3", "p4"]),
        ("BRANCHES", '[["loss_mask", "mask"]]', [["loss_mask", "mask"]]),
        ("BRANCH_WEIGHTS", '[["cls", 0.5], ["reg", 1]]', [["cls", 0.5], ["reg", 1]]),
        ("RHO", "0.5", 0.5),
        ("SMOOTHING", "False", False),
    ],
)
def test_values_come_from_the_command_line_and_from_yaml(cfg, tmp_path, key, written, value):
    cfg.merge_from_list([f"MODEL.SET.{key}", written])
    assert cfg.MODEL.SET[key] == value
    file = tmp_path / "dumped.yaml"
    file.write_text(cfg.dump())
    again = get_cfg()
    add_d2freq_config(again)
    again.merge_from_file(str(file))
    assert again.MODEL.SET == cfg.MODEL.SET
    assert yaml.safe_load(file.read_text())["MODEL"]["SET"][key] == value


def test_a_map_is_refused_with_the_cure(tmp_path):
    file = tmp_path / "map.yaml"
    file.write_text("MODEL: {SET: {BRANCHES: {loss_mask: mask}}}")
    message = r"MODEL\.SET\.BRANCHES; write pairs, as \[\[name, value\]\]"
    with pytest.raises(UserError, match=message):
        load_yaml(str(file))
    file.write_text("{}")
    with pytest.raises(UserError, match=message):
        load_yaml(str(file), ["MODEL.SET.BRANCHES", "{'loss_mask': 'mask'}"])


def test_a_misspelt_key_is_an_error(cfg):
    with pytest.raises(Exception, match="RHOO"):
        cfg.merge_from_list(["MODEL.SET.RHOO", 1.0])
