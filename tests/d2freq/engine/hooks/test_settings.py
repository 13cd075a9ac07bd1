"""A switch has one name and one default, in YAML under D2FREQ and in a lazy config under train."""

from pathlib import Path

import pytest

from d2freq.engine import load_config
from d2freq.errors import UserError
from d2freq.trainer_config import lazy_names, setting_default

CONFIG = str(Path(__file__).parents[4] / "configs/demo/faster_rcnn_R18_HSFPN_scenes")


def test_both_kinds_answer_alike():
    yaml = load_config(CONFIG + ".yaml", ["SOLVER.CHECKPOINT_KEEP", "3"])
    lazy = load_config(CONFIG + ".py", ["train.checkpoint_keep=3"])
    for config in (yaml, lazy):
        assert config.setting("SOLVER.CHECKPOINT_KEEP") == 3
        assert config.setting("STRICT_WEIGHTS") is True
        with pytest.raises(KeyError):
            config.setting("STRICT_WEIGTHS")


def test_a_lazy_config_that_says_nothing_has_the_defaults():
    config = load_config(CONFIG + ".py")
    for name in ("STRICT_WEIGHTS", "SOLVER.CHECKPOINT_KEEP"):
        assert config.setting(name) == setting_default(name)


def test_a_misspelt_switch_of_a_lazy_config_is_an_error():
    assert "checkpoint_keep" in lazy_names() and "datasets" not in lazy_names()
    with pytest.raises(UserError, match="checkpoint_kep.*did you mean.*checkpoint_keep"):
        load_config(CONFIG + ".py", ["+train.checkpoint_kep=3"])
