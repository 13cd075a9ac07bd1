"""D2FREQ.FAST_CPU in both kinds of config."""

from pathlib import Path

import pytest
from torch import nn

from d2freq.engine import load_config
from d2freq.engine.hooks import Run, with_own_hooks
from d2freq.engine.hooks.fast_cpu import FastCPU
from d2freq.modeling.fast_cpu import FastROIAlign

CONFIG = str(Path(__file__).parents[4] / "configs/demo/faster_rcnn_R18_HSFPN_scenes")


@pytest.mark.parametrize(
    ("suffix", "words"), [(".yaml", ["D2FREQ.FAST_CPU", "True"]), (".py", ["train.fast_cpu=True"])]
)
def test_the_switch_brings_the_hook_and_the_hook_the_layers(suffix, words):
    config = load_config(CONFIG + suffix, words)
    model = config.model("cpu")
    hooks = with_own_hooks([], Run(config=config, model=model, checkpointer=None))
    (hook,) = [hook for hook in hooks if isinstance(hook, FastCPU)]
    hook.before_train()
    assert any(isinstance(module, FastROIAlign) for module in model.modules())


def test_without_it_nothing_changes():
    config = load_config(CONFIG + ".yaml")
    hooks = with_own_hooks([], Run(config=config, model=nn.Linear(1, 1), checkpointer=None))
    assert not [hook for hook in hooks if isinstance(hook, FastCPU)]


def test_a_model_elsewhere_than_on_a_cpu_stays_as_it_is():
    model = load_config(CONFIG + ".yaml").model("cpu").to("meta")
    FastCPU(model).before_train()
    assert not any(isinstance(module, FastROIAlign) for module in model.modules())
